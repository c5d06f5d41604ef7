-- Keys, dates and lines are those of orders.sql: change both.
select
    o.o_orderkey as l_orderkey,
    part as l_partkey,
    (part + h.h / 60 % 4 * (5 + (part - 1) / 20)) % 20 + 1 as l_suppkey,
    line as l_linenumber,
    quantity as l_quantity,
    quantity * (90000 + part / 10 + 100 * part) / 100.0 as l_extendedprice,
    h.h / 12000 % 11 / 100.0 as l_discount,
    h.h / 132000 % 9 / 100.0 as l_tax,
    case when received > '1995-06-17' then 'N' when h.h / 5000000 % 2 = 0 then 'R' else 'A' end as l_returnflag,
    case when shipped > '1995-06-17' then 'O' else 'F' end as l_linestatus,
    shipped as l_shipdate,
    o.o_orderdate + (h.h / 143748000 % 61 + 30)::int as l_commitdate,
    received as l_receiptdate,
    ('{DELIVER IN PERSON,COLLECT COD,NONE,TAKE BACK RETURN}'::text[])[1 + h.h / 263058840000 % 4] as l_shipinstruct,
    ('{AIR,FOB,MAIL,RAIL,REG AIR,SHIP,TRUCK}'::text[])[1 + h.h / 1052235360000 % 7] as l_shipmode,
    case when h.h / 7365647520000 % 9 > 0
        then ('{ideas,pinto beans,foxes,theodolites}'::text[])[1 + h.h / 7365647520000 % 4] || ' of part ' || part
    end as l_comment
from (
    select k as o_orderkey, date '1992-01-01' + (h / 100 % 2406)::int as o_orderdate, (h / 240600 % 6)::int as more
    from generate_series(0, 699) i
    cross join lateral (select i / 8 * 32 + i % 8 + 1 as k) k
    cross join lateral (select hashint8extended(k, 15) & 9223372036854775807 as h) h
) o
cross join lateral generate_series(1, 1 + o.more) line
cross join lateral (select hashint8extended(o.o_orderkey * 8 + line, 16) & 9223372036854775807 as h) h
cross join lateral (
    select
        h.h % 60 + 1 as part,
        h.h / 240 % 50 + 1 as quantity,
        o.o_orderdate + (h.h / 1188000 % 121 + 1)::int as shipped
) l
cross join lateral (select shipped + (h.h / 8768628000 % 30 + 1)::int as received) r
