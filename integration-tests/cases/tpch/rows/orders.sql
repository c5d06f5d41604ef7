-- Keys have gaps; every third customer has no orders. The lines are those of lineitem.sql: change both.
select
    o.o_orderkey,
    o.o_custkey,
    case when lines.open = 0 then 'F' when lines.done = 0 then 'O' else 'P' end as o_orderstatus,
    lines.price as o_totalprice,
    o.o_orderdate,
    ('{1-URGENT,2-HIGH,3-MEDIUM,4-NOT SPECIFIED,5-LOW}'::text[])[1 + h / 1443600 % 5] as o_orderpriority,
    case when h / 7218000 % 40 > 0 then 'Clerk#' || lpad((h / 7218000 % 10)::text, 9, '0') end as o_clerk,
    0 as o_shippriority,
    case h / 288720000 % 12
        when 0 then null
        when 1 then 'special packages and requests'
        when 2 then 'the special requests wake'
        else ('{quick,final,pending,blithe}'::text[])[1 + h / 3464640000 % 4] || ' deposits of order ' || o.o_orderkey
    end as o_comment
from (
    select
        k as o_orderkey,
        (h % 100 / 2 * 3 + h % 2 + 1)::int as o_custkey,
        date '1992-01-01' + (h / 100 % 2406)::int as o_orderdate,
        (h / 240600 % 6)::int as more,
        h
    from generate_series(0, 699) i
    cross join lateral (select i / 8 * 32 + i % 8 + 1 as k) k
    cross join lateral (select hashint8extended(k, 15) & 9223372036854775807 as h) h
) o
cross join lateral (
    select
        sum(round(quantity * (90000 + part / 10 + 100 * part) / 100.0 * (100 + tax) * (100 - discount) / 10000, 2)) as price,
        count(*) filter (where shipped > '1995-06-17') as open,
        count(*) filter (where shipped <= '1995-06-17') as done
    from generate_series(1, 1 + o.more) line
    cross join lateral (select hashint8extended(o.o_orderkey * 8 + line, 16) & 9223372036854775807 as h) h
    cross join lateral (
        select
            h.h % 60 + 1 as part,
            h.h / 240 % 50 + 1 as quantity,
            h.h / 12000 % 11 as discount,
            h.h / 132000 % 9 as tax,
            o.o_orderdate + (h.h / 1188000 % 121 + 1)::int as shipped
    ) l
) lines
