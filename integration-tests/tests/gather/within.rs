//! Scattered statements in a client's own transaction, whose shard is one of theirs.

use super::*;

/// A transaction that has changed a row on the first shard.
fn begun(world: &World) -> Wire {
    let organization = world.cluster.organization_on(0);
    let mut wire = world.connect();
    done(&wire.simple("begin").unwrap());
    let update = format!(
        "update wide set filler = 'changed' where organization_id = {organization} and id = 1"
    );
    done(&wire.simple(&update).unwrap());
    wire
}

/// It sees what it has changed, and is on its server still.
fn goes_on(wire: &mut Wire) {
    let replies = wire
        .simple("select count(*) from wide where filler = 'changed'")
        .unwrap();
    assert_eq!(values(&replies), ["1"], "{replies:?}");
    assert_eq!(replies.last().unwrap().body, b"T");
}

fn fails(wire: &mut Wire, text: &str, expected: &str) {
    let replies = wire.simple(text).unwrap();
    let (code, said) = error(&replies);
    assert_eq!(code, expected, "{text}: {said}");
    assert_eq!(replies.last().unwrap().body, b"E", "{text}: {replies:?}");
    let replies = wire.simple(SCATTERED).unwrap();
    assert_eq!(error(&replies).0, "25P02", "{text}: {replies:?}");
}

/// What happens elsewhere is an error of the statement: a savepoint helps.
#[test]
fn another_lane_ends() {
    let world = World::start("").with_others();
    let mut wire = begun(&world);
    let replies = wire.simple(&format!("explain {SCATTERED}")).unwrap();
    assert!(
        format!("{replies:?}").contains("Scatter, read"),
        "{replies:?}"
    );
    for (tag, skip) in [(b'T', 0), (b'D', 3_000)] {
        done(&wire.simple("savepoint before").unwrap());
        let rule = Rule::on("order by id", tag, Act::Fin(0))
            .after(skip)
            .afresh();
        let armed = world.faults[2].arm(rule);
        fails(&mut wire, SCATTERED, "08006");
        assert_eq!(armed.fired(), 1);
        world.faults[2].disarm();
        done(&wire.simple("rollback to before").unwrap());
        goes_on(&mut wire);
    }
    done(&wire.simple("rollback").unwrap());
    world.works(&mut wire);
    world.is_tidy();
    world.end();
}

/// With its connection the transaction is gone.
#[test]
fn its_own_lane_ends() {
    let world = World::start("").with_others();
    // What servers are asked of it first is asked beside the transaction.
    done(&world.connect().simple(SCATTERED).unwrap());
    for (tag, skip) in [(b'T', 0), (b'D', 0), (b'D', 3_000), (b'C', 1)] {
        let mut wire = begun(&world);
        done(&wire.simple("savepoint before").unwrap());
        let rule = Rule::on("order by id", tag, Act::Fin(0))
            .after(skip)
            .afresh();
        let armed = world.faults[0].arm(rule);
        fails(&mut wire, SCATTERED, "08006");
        assert_eq!(armed.fired(), 1);
        world.faults[0].disarm();
        let replies = wire.simple("rollback to before").unwrap();
        assert_eq!(replies.last().unwrap().body, b"E", "{replies:?}");
        done(&wire.simple("rollback").unwrap());
        world.works(&mut wire);
    }
    world.is_tidy();
    world.end();
}

/// What its shard has is more than is held: it is gathered, and nothing has happened to the transaction.
#[test]
fn its_own_part_is_too_large() {
    let world = World::start("");
    let mut wire = begun(&world);
    let all = SHARDS * ORGANIZATIONS * ROWS;
    let text = "select id, filler || filler || filler from wide order by id, organization_id";
    for _ in 0..2 {
        for replies in [
            wire.simple(text).unwrap(),
            wire.extended(text, &Parameters::NONE).unwrap(),
        ] {
            let rows = replies.iter().filter(|reply| reply.tag == b'D').count();
            assert_eq!(rows, all, "{:?}", replies.last());
            assert_eq!(replies.last().unwrap().body, b"T");
        }
        goes_on(&mut wire);
    }
    done(&wire.simple("commit").unwrap());
    let changed = "select count(*) from wide where filler = 'changed'";
    assert_eq!(values(&wire.simple(changed).unwrap()), ["1"]);
    world.is_tidy();
}

/// Portals hold so much together and no more; what does not fit is gathered, too.
#[test]
fn portals_side_by_side() {
    let world = World::start("");
    let mut wire = begun(&world);
    let all = SHARDS * ORGANIZATIONS * ROWS;
    let mut script = Script::new();
    script.parse("s", SCATTERED, &[]);
    for portal in ["a", "b", "c"] {
        script
            .bind(portal, "s", &Parameters::NONE)
            .execute(portal, 10);
    }
    script.sync();
    let replies = wire.run(&script).unwrap();
    let rows = |replies: &[Reply]| replies.iter().filter(|reply| reply.tag == b'D').count();
    assert_eq!(rows(&replies), 30, "{:?}", replies.last());
    goes_on(&mut wire);
    for portal in ["c", "a", "b"] {
        let mut script = Script::new();
        let replies = wire.run(script.execute(portal, 0).sync()).unwrap();
        assert_eq!(rows(&replies), all - 10, "{portal}: {:?}", replies.last());
    }
    done(&wire.simple("commit").unwrap());
    world.is_tidy();
}

/// Errors of its own rows: those that fail the statement, and those that have it gathered first.
#[test]
fn errors_of_its_own_rows() {
    let world = World::start("");
    let mut wire = begun(&world);
    for text in [
        "select 1 / (length(filler) - 7) from wide",
        "select length(filler), sum(1 / (length(filler) - 7)) + 1 from wide group by 1 having count(*) > 0",
    ] {
        done(&wire.simple("savepoint before").unwrap());
        fails(&mut wire, text, "22012");
        done(&wire.simple("rollback to before").unwrap());
        goes_on(&mut wire);
        done(&wire.simple("release before").unwrap());
    }
    done(&wire.simple("rollback").unwrap());
    world.is_tidy();
}

/// A cancel while another shard is silent fails the statement; while its own is, the connection is lost over it.
#[test]
fn a_cancel() {
    let world = World::start("").with_others();
    for (shard, goes) in [(2, true), (0, false)] {
        let mut wire = begun(&world);
        done(&wire.simple("savepoint before").unwrap());
        let (port, key) = (world.proxy.port, wire.key);
        let rule = Rule::on("order by id", b'D', Act::Hold).after(100).afresh();
        let armed = world.faults[shard].arm(rule);
        let mut script = Script::new();
        script.query(SCATTERED);
        wire.send_script(&script).unwrap();
        eventually("rows come", || armed.fired() == 1);
        thread::sleep(Duration::from_millis(300));
        let started = Instant::now();
        cancel(port, key);
        let replies = wire.replies().unwrap();
        assert_eq!(error(&replies).0, "57014", "{shard}");
        assert_eq!(replies.last().unwrap().body, b"E", "{shard}");
        assert!(started.elapsed() < TOLD_WITHIN);
        world.faults[shard].disarm();
        let replies = wire.simple("rollback to before").unwrap();
        match goes {
            true => goes_on(&mut wire),
            false => assert_eq!(replies.last().unwrap().body, b"E", "{replies:?}"),
        }
        done(&wire.simple("rollback").unwrap());
        world.works(&mut wire);
    }
    world.is_tidy();
    world.end();
}
