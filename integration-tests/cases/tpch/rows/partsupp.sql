-- Four suppliers of each part, by TPC-H's rule.
select
    part as ps_partkey,
    (part + i * (5 + (part - 1) / 20)) % 20 + 1 as ps_suppkey,
    1 + h % 400 as ps_availqty,
    (100 + h / 400 % 99901) / 100.0 as ps_supplycost,
    'supply ' || i || ' of part ' || part as ps_comment
from generate_series(1, 60) part
cross join generate_series(0, 3) i
cross join lateral (select hashint8extended(part * 4 + i, 13) & 9223372036854775807 as h) r
