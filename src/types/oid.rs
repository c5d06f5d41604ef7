//! Type OIDs that are fixed in every PostgreSQL.
//! Source: `src/include/catalog/pg_type.dat`.

/// A type's OID; zero where the client left the type to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(pub u32);

impl Oid {
    pub const UNSPECIFIED: Self = Self(0);
    pub const BOOL: Self = Self(16);
    pub const BYTEA: Self = Self(17);
    pub const INT8: Self = Self(20);
    pub const INT2: Self = Self(21);
    pub const INT4: Self = Self(23);
    pub const TEXT: Self = Self(25);
    pub const UNKNOWN: Self = Self(705);
    pub const BPCHAR: Self = Self(1042);
    pub const VARCHAR: Self = Self(1043);
    pub const DATE: Self = Self(1082);
    pub const TIMESTAMP: Self = Self(1114);
    pub const TIMESTAMPTZ: Self = Self(1184);
    pub const NUMERIC: Self = Self(1700);
    pub const UUID: Self = Self(2950);

    /// Whether its binary form means something on one server only, or it has none: names of what catalogs have, as OIDs,
    /// and `aclitem`; their arrays, too.
    pub fn is_of_one_server(self) -> bool {
        matches!(
            self.0,
            24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 | 1033
                | 1008 | 2207..=2211 | 3735 | 3770 | 4090 | 4097 | 4192 | 1034
        )
    }

    /// Whether a value in binary form, read by another server, is the same one there: XML has its
    /// encoding in it, and is read as a setting says.
    pub fn travels_in_binary(self) -> bool {
        !self.is_of_one_server() && !matches!(self.0, 142 | 143)
    }

    /// The type of the elements of an array of one of the key types.
    pub fn element(self) -> Option<Self> {
        Some(match self.0 {
            1001 => Self::BYTEA,
            1005 => Self::INT2,
            1007 => Self::INT4,
            1009 => Self::TEXT,
            1014 => Self::BPCHAR,
            1015 => Self::VARCHAR,
            1016 => Self::INT8,
            1115 => Self::TIMESTAMP,
            1182 => Self::DATE,
            1185 => Self::TIMESTAMPTZ,
            2951 => Self::UUID,
            _ => return None,
        })
    }
}
