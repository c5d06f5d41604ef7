-- Few nations, those that queries name among them.
select
    k as s_suppkey,
    'Supplier#' || lpad(k::text, 9, '0') as s_name,
    substr(md5('supplier ' || k), 1, 12 + k % 9) as s_address,
    nation as s_nationkey,
    format('%s-%s-%s-%s', nation + 10, 100 + h % 900, 100 + h / 900 % 900, 1000 + h / 810000 % 9000) as s_phone,
    (h % 1099999 - 99999) / 100.0 as s_acctbal,
    case k % 7
        when 3 then 'sly Customer deposits of Complaints'
        when 5 then 'quick Customer requests are Recommends'
        else 'even packages of supplier ' || k
    end as s_comment
from generate_series(1, 20) k
cross join lateral (
    select
        hashint8extended(k, 11) & 9223372036854775807 as h,
        ('{6,7,3,20,2,12,8,18,24,6,7,3,20,2,8,24,6,7,14,9}'::int[])[k] as nation
) r
