select k as r_regionkey, name as r_name, 'regular ' || lower(name) || ' deposits' as r_comment
from (values (0, 'AFRICA'), (1, 'AMERICA'), (2, 'ASIA'), (3, 'EUROPE'), (4, 'MIDDLE EAST')) v (k, name)
