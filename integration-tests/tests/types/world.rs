//! Shards whose users' types have other OIDs each, and one PostgreSQL that has those of the default one.

use integration_tests::client::{connect, texts};
use integration_tests::wire::Wire;
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

pub const SHARDS: usize = 3;
/// Types that are made first: the further a shard is from the default one, the more.
const FILLERS: usize = 7;

const TYPES: &str = "
    create type mood as enum ('sad', 'ok', 'happy');
    create domain amount as numeric check (value >= 0);
    create type pair as (feeling mood, numbers int4[]);
    create type nest as (inside pair, moods mood[], pairs pair[], cost amount, note text);
    create domain moods as mood[];
    create type span as range (subtype = mood);
    create type pairs_span as range (subtype = pair);
    create table feelings (organization_id bigint not null, id int not null, m mood, ms mood[], p pair, ps pair[], n nest,
                           a amount, aa amount[], d moods, s span, x pairs_span, primary key (organization_id, id))";

const ROWS: &str = "
    insert into feelings values
        (K, 1, 'ok', '{sad,happy}', '(ok,\"{1,2}\")', array['(sad,{})', '(,)']::pair[],
         row(row('ok', '{3}'), '{ok,NULL}', array['(happy,{4})']::pair[], 5.5, 'note'), 1.5, '{2.5,3.5}', '{sad}',
         '[sad,happy]', pairs_span('(ok,{1})', '(happy,{2})')),
        (K, 2, null, null, null, '{}', row(null, '{}', null, null, null), null, '{}', null, 'empty', null)";

pub struct World {
    pub proxy: Proxy,
    /// An organization of each shard.
    pub organizations: Vec<i64>,
    pub cluster: Cluster,
}

impl World {
    /// `more` is run on every shard and the one PostgreSQL, too.
    pub async fn start(more: &str) -> Self {
        let cluster = Cluster::start(&Setup {
            shards: SHARDS,
            sample: None,
            ..Setup::default()
        });
        let organizations: Vec<i64> = (0..SHARDS).map(|at| cluster.organization_on(at)).collect();
        let rows = |organization: &i64| ROWS.replace('K', &organization.to_string());
        for (shard, organization) in organizations.iter().enumerate() {
            let client = connect(cluster.primary_port(shard)).await;
            for filler in 0..shard * FILLERS {
                let sql = format!("create type filler_{filler} as enum ()");
                client.batch_execute(&sql).await.unwrap();
            }
            client.batch_execute(TYPES).await.unwrap();
            client.batch_execute(&rows(organization)).await.unwrap();
            client.batch_execute(more).await.unwrap();
        }
        let oracle = connect(cluster.oracle.port()).await;
        oracle.batch_execute(TYPES).await.unwrap();
        for organization in &organizations {
            oracle.batch_execute(&rows(organization)).await.unwrap();
        }
        oracle.batch_execute(more).await.unwrap();
        let options = ProxyOptions {
            tables: vec!["feelings".to_owned()],
            ..ProxyOptions::default()
        };
        let proxy = Proxy::start(&cluster, &options);
        let world = Self {
            proxy,
            organizations,
            cluster,
        };
        world.check_oids().await;
        world
    }

    /// The one PostgreSQL has the default shard's OIDs, the other shards have others.
    async fn check_oids(&self) {
        let sql = "select typname, oid from pg_type where oid >= 16384 and typname !~ 'filler' order by 1";
        let of = async |port| texts(&connect(port).await, sql).await;
        let default = of(self.cluster.primary_port(0)).await;
        assert_eq!(of(self.cluster.oracle.port()).await, default);
        for shard in 1..SHARDS {
            assert_ne!(of(self.cluster.primary_port(shard)).await, default);
        }
    }

    /// The proxy, and the one PostgreSQL.
    pub fn both(&self) -> [Wire; 2] {
        [self.proxy.port, self.cluster.oracle.port()].map(|port| Wire::connect(port).unwrap())
    }

    /// OID of a type on the default shard.
    pub async fn oid(&self, name: &str) -> u32 {
        let client = connect(self.cluster.primary_port(0)).await;
        let sql = format!("select '{name}'::regtype::oid");
        let oid = texts(&client, &sql).await[0][0].clone();
        oid.unwrap().parse().unwrap()
    }
}
