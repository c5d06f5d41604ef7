// What node-postgres sees through the proxy, beside what it sees on one PostgreSQL.
//
// PROXY_DSN and ORACLE_DSN name the two sides; REFUSALS=0 leaves out what only the proxy refuses.
// NODE_MODULES is where the packages are. Prints `N passed, N failed`.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const require = createRequire(`${process.env.NODE_MODULES ?? import.meta.dirname}/`);
const pg = require("pg");
const Cursor = require("pg-cursor");
const { from: copyFrom, to: copyTo } = require("pg-copy-streams");

const SIDES = [process.env.ORACLE_DSN, process.env.PROXY_DSN];
const REFUSALS = process.env.REFUSALS !== "0";

async function outcome(dsn, act) {
  const client = new pg.Client({ connectionString: dsn });
  const notices = [];
  client.on("notice", (notice) => notices.push([notice.severity, notice.message]));
  await client.connect();
  try {
    return { value: await act(client, notices) };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const { code, message, detail, hint, position, severity, constraint, table } = error;
    return { error: { code, message, detail, hint, position, severity, constraint, table } };
  } finally {
    await client.end();
  }
}

async function compare(act) {
  const [expected, found] = [await outcome(SIDES[0], act), await outcome(SIDES[1], act)];
  // As JSON, because the binary parser gives each date functions of its own.
  const plain = (value) => JSON.parse(JSON.stringify(value));
  assert.deepEqual(plain(found), plain(expected));
  return found;
}

const result = (r) => ({
  rows: r.rows,
  command: r.command,
  rowCount: r.rowCount,
  fields: r.fields.map((f) => [f.name, f.dataTypeID, f.format]),
});

const READS = [
  ["select * from organizations where organization_id = $1", [42]],
  ["select * from organizations where organization_id = $1", ["42"]],
  ["select * from matches where organization_id = $1 and match_id < $2 order by match_id", [7, 20]],
  ["select * from detections where organization_id = $1 order by detection_id limit 50", [7]],
  ["select count(*), avg(score) from detections where organization_id = $1::bigint", [7]],
  ["select c.name, count(*) from detections d join classes c using (class_id) where d.organization_id = $1 group by 1 order by 1", [7]],
  ["select * from classes order by class_id", []],
  ["select * from notes where note_id = any($1) order by 1", [[1, 2, 3]]],
  ["select $1::text as t, $2::jsonb as j, $3::int[] as a, $4::timestamptz as at", ["ü'", { a: 1 }, [1, null], null]],
];

const CASES = {
  async "reads, text and binary, unnamed and prepared"() {
    for (const [text, values] of READS) {
      for (const binary of [false, true]) {
        for (const name of [undefined, "kept"]) {
          const found = await compare(async (client) => {
            const seen = [];
            for (let turn = 0; turn < 2; turn++) seen.push(result(await client.query({ text, values, binary, name })));
            return seen;
          });
          assert.ok(found.value, text);
        }
      }
    }
  },
  async "simple protocol and several statements"() {
    await compare(async (client) => {
      const all = await client.query("select 1 as a; select name from organizations where organization_id = 42; select 2 as b");
      return all.map(result);
    });
    await compare(async (client) => result(await client.query("select * from organizations where organization_id = 7")));
  },
  async "array rows and named columns"() {
    await compare(async (client) =>
      (await client.query({ text: "select 1 as a, 2 as a, match_id from matches where organization_id = 7 order by 3", rowMode: "array" })).rows);
  },
  async "writes and transactions"() {
    await compare(async (client) => {
      const seen = [];
      const run = async (text, values) => seen.push(result(await client.query(text, values)));
      await run("insert into accounts (organization_id, balance, note) values ($1, $2, $3) returning *", [1101, 4, "node"]);
      await run("begin");
      await run("update accounts set balance = balance + $2 where organization_id = $1 returning balance", [1101, 6]);
      await run("savepoint s");
      await client.query("update accounts set balance = -1 where organization_id = 1101").catch((e) => seen.push([e.code, e.constraint]));
      await client.query("select 1").catch((e) => seen.push([e.code, e.message]));
      await run("rollback to s");
      await run("commit");
      await run("select * from accounts where organization_id = $1", [1101]);
      await run("delete from accounts where organization_id = $1", [1101]);
      return seen;
    });
  },
  async "queries queued on one connection"() {
    await compare(async (client) => {
      const ids = [1, 2, 3, 42, 7, 9];
      const all = ids.map((id) => client.query("select name from organizations where organization_id = $1", [id]));
      return (await Promise.all(all)).map((r) => r.rows);
    });
  },
  async "cursor"() {
    await compare(async (client) => {
      const cursor = client.query(new Cursor("select detection_id from detections where organization_id = $1 order by 1", [7]));
      const seen = [await cursor.read(3), await cursor.read(4)];
      await cursor.close();
      seen.push((await client.query("select 1 as after")).rows);
      return seen;
    });
  },
  async "copy in and out"() {
    await compare(async (client) => {
      const rows = Array.from({ length: 500 }, (_, n) => `${n + 2000}\trow ${n}\n`);
      await pipeline(Readable.from(rows), client.query(copyFrom("copy notes (note_id, body) from stdin")));
      let text = "";
      const out = client.query(copyTo("copy (select * from notes where note_id >= 2000 order by 1) to stdout"));
      for await (const chunk of out) text += chunk;
      await client.query("delete from notes where note_id >= 2000");
      return text;
    });
  },
  async "errors"() {
    for (const text of ["selec 1", "select nothing from matches where organization_id = 1", "select 1 / 0", "select * from missing",
      "insert into accounts (organization_id, balance) values (1, -1)"]) {
      for (const name of [undefined, "bad"]) {
        const found = await compare(async (client) => result(await client.query({ text, name })));
        assert.ok(found.error, text);
      }
    }
  },
  async "notices and settings"() {
    await compare(async (client, notices) => {
      await client.query("drop table if exists no_such_table");
      await client.query("set timezone = 'Asia/Tokyo'");
      const at = "select detected_at::text from detections where organization_id = 7 and detection_id = 1";
      return [notices, (await client.query(at)).rows, (await client.query("show timezone")).rows];
    });
  },
  async "pool of connections"() {
    const pool = new pg.Pool({ connectionString: SIDES[1], max: 20 });
    const text = "select name from organizations where organization_id = $1";
    const names = await Promise.all(
      Array.from({ length: 200 }, (_, n) => pool.query({ text, values: [n + 1], name: "pooled" })));
    names.forEach((r, n) => assert.equal(r.rows[0].name, `Organization ${n + 1}`));
    await pool.end();
  },
  async "rows of all shards"() {
    await compare(async (client) => {
      const counts = "select country, count(*) from organizations group by country order by country";
      const joined = "select o.name, m.home from organizations o join matches m on m.match_id = o.organization_id order by 1, 2 limit 30";
      const above = "select name from organizations where organization_id > $1 order by organization_id";
      const seen = [result(await client.query(counts)), result(await client.query(joined))];
      for (const id of [190, 3]) {
        seen.push(result(await client.query({ text: above, values: [id], name: "above" })));
      }
      const cursor = client.query(new Cursor(above, [3]));
      seen.push(await cursor.read(3), await cursor.read(4));
      await cursor.close();
      seen.push((await client.query("select 1 as after")).rows);
      return seen;
    });
  },
  async "refusals"() {
    if (!REFUSALS) return;
    for (const text of ["select * from organizations for update", "delete from accounts", "insert into classes values (99, 'x')"]) {
      for (const name of [undefined, "refused"]) {
        const found = await outcome(SIDES[1], (client) => client.query({ text, name }));
        assert.equal(found.error?.code, "0A000", text);
      }
    }
  },
};

let failed = 0;
for (const [name, run] of Object.entries(CASES)) {
  try {
    await run();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
console.log(`${Object.keys(CASES).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
