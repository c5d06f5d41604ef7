select
    k as c_custkey,
    'Customer#' || lpad(k::text, 9, '0') as c_name,
    substr(md5('customer ' || k), 1, 10 + k % 15) as c_address,
    nation as c_nationkey,
    format('%s-%s-%s-%s', nation + 10, 100 + h / 25 % 900, 100 + h / 22500 % 900, 1000 + h / 20250000 % 9000) as c_phone,
    (h / 25 % 1099999 - 99999) / 100.0 as c_acctbal,
    ('{AUTOMOBILE,BUILDING,FURNITURE,HOUSEHOLD,MACHINERY}'::text[])[1 + h / 27499975 % 5] as c_mktsegment,
    case when k % 13 <> 0 then ('{bold,careful,express,silent}'::text[])[1 + k % 4] || ' accounts of ' || k end as c_comment
from generate_series(1, 150) k
cross join lateral (select hashint8extended(k, 14) & 9223372036854775807 as h) g
cross join lateral (select (h % 25)::int as nation) n
