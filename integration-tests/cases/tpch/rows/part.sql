-- Fewer types, containers and brands than TPC-H has, so that 60 parts have each.
select
    k as p_partkey,
    colors[1 + h % 12] || ' ' || colors[1 + h / 12 % 12] || ' ' || colors[1 + h / 144 % 12] as p_name,
    'Manufacturer#' || 1 + h / 1728 % 3 as p_mfgr,
    'Brand#' || 1 + h / 1728 % 3 || 1 + h / 5184 % 3 as p_brand,
    ('{ECONOMY,STANDARD,PROMO,MEDIUM}'::text[])[1 + h / 15552 % 4]
        || ' ' || ('{ANODIZED,POLISHED}'::text[])[1 + h / 62208 % 2]
        || ' ' || ('{STEEL,BRASS,COPPER}'::text[])[1 + h / 124416 % 3] as p_type,
    1 + h / 373248 % 20 as p_size,
    ('{SM,MED,LG,JUMBO}'::text[])[1 + h / 7464960 % 4]
        || ' ' || ('{CASE,BOX,PKG}'::text[])[1 + h / 29859840 % 3] as p_container,
    (90000 + k / 10 + 100 * k) / 100.0 as p_retailprice,
    'final part ' || k as p_comment
from generate_series(1, 60) k
cross join lateral (
    select
        hashint8extended(k, 12) & 9223372036854775807 as h,
        '{almond,azure,blue,chocolate,forest,green,ivory,lemon,linen,peru,red,tan}'::text[] as colors
) r
