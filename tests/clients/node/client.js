// The program that uses Helenus through the Node.js driver.
//
// HELENUS_HOST and HELENUS_PORT say where the node is. Last line: `node: N passed, N failed`.
'use strict';

const assert = require('node:assert/strict');
const { Client, types, errors, policies, mapping } = require('cassandra-driver');

const HOST = process.env.HELENUS_HOST || '127.0.0.1';
const PORT = Number(process.env.HELENUS_PORT || 9042);
const KEYSPACE = 'client_node';
const { consistencies, Long, BigDecimal, Integer, LocalDate, LocalTime, Duration, InetAddress, Uuid, TimeUuid, Tuple } = types;
const PREPARED = { prepare: true };

const newClient = (options) => new Client({
  contactPoints: [`${HOST}:${PORT}`], localDataCenter: 'datacenter1', ...options,
});

const tests = [];
const test = (name, body) => tests.push({ name, body });
const client = newClient({ keyspace: KEYSPACE });
const run = (query, values, options) => client.execute(query, values, { ...PREPARED, ...options });

async function table(name, columns) {
  await client.execute(`DROP TABLE IF EXISTS ${name}`);
  await client.execute(`CREATE TABLE ${name} (${columns})`);
}

async function refused(promise, code, text) {
  try {
    await promise;
  } catch (error) {
    const inner = error.innerErrors ? Object.values(error.innerErrors)[0] : error;
    assert.equal(inner.code, code, inner.message);
    assert.match(inner.message, text);
    return inner;
  }
  assert.fail(`was not refused: ${text}`);
}

test('default settings connect', async () => {
  const fresh = newClient();
  await fresh.connect();
  const hosts = fresh.getState().getConnectedHosts();
  assert.equal(hosts.length, 1);
  assert.equal(hosts[0].datacenter, 'datacenter1');
  assert.equal(fresh.metadata.tokenizer.constructor.name, 'Murmur3Tokenizer');
  assert.equal(fresh.getReplicas('system', Buffer.from('k')).length, 1);
  const row = (await fresh.execute('SELECT key, release_version FROM system.local')).first();
  assert.equal(row.key, 'local');
  await fresh.shutdown();
});

test('every native type, there and back', async () => {
  const values = {
    ascii: 'plain', bigint: Long.fromString('-9223372036854775808'), blob: Buffer.from('cafe00ff', 'hex'),
    boolean: true, date: LocalDate.fromString('2026-03-01'), decimal: BigDecimal.fromString('-12345678901234567890.123'),
    double: -1.5e300, duration: Duration.fromString('1y2mo3d4h5ns'), float: 0.5, inet: InetAddress.fromString('2001:db8::1'),
    int: -2147483648, smallint: -32768, text: 'naïve ☃ 𐍈', time: LocalTime.fromString('08:12:54.123456789'),
    timestamp: new Date('1815-12-10T01:02:03.004Z'), timeuuid: TimeUuid.fromString('50554d6e-29bb-11e5-b345-feff819cdc9f'),
    tinyint: -128, uuid: Uuid.fromString('f47ac10b-58cc-4372-a567-0e02b2c3d479'), varchar: '',
    varint: Integer.fromString('-340282366920938463463374607431768211456'),
  };
  const names = Object.keys(values);
  await table('natives', `k int PRIMARY KEY, ${names.map((name) => `c_${name} ${name}`).join(', ')}`);
  const columns = names.map((name) => `c_${name}`).join(', ');
  const insert = `INSERT INTO natives (k, ${columns}) VALUES (?, ${names.map(() => '?').join(', ')})`;
  await run(insert, [1, ...Object.values(values)]);
  await run(insert, [2, ...names.map(() => null)]);
  const row = (await run('SELECT * FROM natives WHERE k = 1')).first();
  for (const name of names) {
    const got = row[`c_${name}`];
    const same = typeof got === 'object' && got.equals ? got.equals(values[name]) : undefined;
    assert.ok(same ?? (assert.deepEqual(got, values[name]), true), `${name}: ${got}`);
  }
  const nulls = (await run('SELECT * FROM natives WHERE k = 2')).first();
  for (const name of names) assert.equal(nulls[`c_${name}`], null, name);
  await run(insert, [1, ...names.map(() => types.unset)]);
  assert.equal((await run('SELECT c_text FROM natives WHERE k = 1')).first().c_text, values.text);
});

test('collections, tuples, vectors and user types', async () => {
  await client.execute('DROP TABLE IF EXISTS nested');
  await client.execute('CREATE TYPE IF NOT EXISTS street (name text, number int)');
  await table('nested', `k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, fl frozen<list<text>>,
    mm map<text, frozen<list<int>>>, t tuple<int, text>, v vector<float, 3>, u street, fu frozen<street>, lu list<frozen<street>>`);
  const { Vector } = types;
  const home = { name: 'Main', number: 7 };
  await run('INSERT INTO nested (k, l, s, m, fl, mm, t, v, u, fu, lu) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', [
    1, [1, 2, 2], ['a', 'b'], { x: Long.fromNumber(9) }, [], { y: [3, 4] }, new Tuple(5, 'five'),
    new Vector([1, -2.5, 0], 'float'), home, home, [home, { name: 'B', number: null }],
  ]);
  const row = (await run('SELECT * FROM nested WHERE k = 1')).first();
  assert.deepEqual(row.l, [1, 2, 2]);
  assert.deepEqual(row.s, ['a', 'b']);
  assert.equal(row.m.x.toString(), '9');
  assert.equal(row.fl, null); // this driver reads an empty collection as null
  assert.deepEqual(row.mm, { y: [3, 4] });
  assert.deepEqual(row.t.values(), [5, 'five']);
  assert.deepEqual(Array.from(row.v), [1, -2.5, 0]);
  assert.deepEqual({ ...row.u }, home);
  assert.deepEqual({ ...row.fu }, home);
  assert.deepEqual(row.lu.map((street) => ({ ...street })), [home, { name: 'B', number: null }]);
  await run('UPDATE nested SET l = l + ?, s = s - ?, m[?] = ?, u.name = ? WHERE k = 1', [[3], ['a'], 'z', 1, 'Side']);
  const after = (await run('SELECT l, s, m, u FROM nested WHERE k = 1')).first();
  assert.deepEqual([after.l, after.s, Object.keys(after.m).sort(), after.u.name], [[1, 2, 2, 3], ['b'], ['x', 'z'], 'Side']);
});

test('counters', async () => {
  await table('counts', 'k text PRIMARY KEY, n counter');
  for (let i = 0; i < 10; i++) await run('UPDATE counts SET n = n + ? WHERE k = ?', [3, 'a']);
  assert.equal((await run('SELECT n FROM counts WHERE k = ?', ['a'])).first().n.toString(), '30');
});

async function fillPages() {
  await table('pages', 'p int, c int, v text, PRIMARY KEY (p, c)');
  const all = [];
  for (let p = 0; p < 10; p++) for (let c = 0; c < 200; c++) all.push([p, c, `${p}/${c}`]);
  while (all.length) {
    await Promise.all(all.splice(0, 200).map((values) => run('INSERT INTO pages (p, c, v) VALUES (?, ?, ?)', values)));
  }
}

test('pages of every size', async () => {
  await fillPages();
  for (const fetchSize of [1, 7, 199, 200, 201, 2000, 5000]) {
    const query = fetchSize === 1 ? 'SELECT p, c FROM pages WHERE p = 4' : 'SELECT p, c FROM pages';
    const seen = new Set();
    for await (const row of await client.execute(query, [], { fetchSize, ...PREPARED })) seen.add(`${row.p}/${row.c}`);
    assert.equal(seen.size, fetchSize === 1 ? 200 : 2000, `fetch size ${fetchSize}`);
  }
});

test('a page state is resumed by another client', async () => {
  const first = await run('SELECT c FROM pages WHERE p = 3', [], { fetchSize: 120 });
  assert.equal(first.rows.length, 120);
  const other = newClient({ keyspace: KEYSPACE });
  const second = await other.execute('SELECT c FROM pages WHERE p = 3', [], { ...PREPARED, fetchSize: 120, pageState: first.pageState });
  assert.deepEqual(second.rows.map((row) => row.c), Array.from({ length: 80 }, (_, i) => 120 + i));
  assert.equal(second.pageState, null);
  await other.shutdown();
});

test('eachRow and stream', async () => {
  const counted = await new Promise((resolve, reject) => {
    let rows = 0;
    client.eachRow('SELECT p FROM pages', [], { ...PREPARED, autoPage: true, fetchSize: 300 }, () => { rows += 1; },
      (error) => (error ? reject(error) : resolve(rows)));
  });
  assert.equal(counted, 2000);
  let streamed = 0;
  for await (const _ of client.stream('SELECT p FROM pages', [], { ...PREPARED, fetchSize: 77 })) streamed += 1;
  assert.equal(streamed, 2000);
});

test('slices, order and limits', async () => {
  const list = async (query, values) => (await run(query, values)).rows.map((row) => row.c);
  assert.deepEqual(await list('SELECT c FROM pages WHERE p = ? AND c >= ? AND c < ?', [1, 5, 8]), [5, 6, 7]);
  assert.deepEqual(await list('SELECT c FROM pages WHERE p = ? ORDER BY c DESC LIMIT ?', [1, 3]), [199, 198, 197]);
  assert.deepEqual(await list('SELECT c FROM pages WHERE p = ? AND c IN ?', [1, [7, 3, 500]]), [3, 7]);
  assert.equal((await list('SELECT c FROM pages PER PARTITION LIMIT 2')).length, 20);
  assert.equal((await run('SELECT count(*) FROM pages')).first().count.toString(), '2000');
  const tokens = await run('SELECT p FROM pages WHERE token(p) > ? PER PARTITION LIMIT 1', [Long.MIN_VALUE]);
  assert.equal(tokens.rows.length, 10);
});

test('static columns, TTL, writetime and timestamps', async () => {
  await table('mixed', 'p int, c int, s text static, v text, PRIMARY KEY (p, c)');
  await run('INSERT INTO mixed (p, c, s, v) VALUES (1, 1, ?, ?) USING TTL 1000', ['shared', 'one']);
  await run('INSERT INTO mixed (p, c, v) VALUES (1, 2, ?)', ['two'], { timestamp: Long.fromNumber(123456) });
  const rows = (await run('SELECT c, s, ttl(v) AS t, writetime(v) AS w FROM mixed WHERE p = 1')).rows;
  assert.deepEqual(rows.map((row) => row.s), ['shared', 'shared']);
  assert.ok(rows[0].t > 900 && rows[1].t === null);
  assert.equal(rows[1].w.toString(), '123456');
});

test('batches', async () => {
  await table('batched', 'k int PRIMARY KEY, v text');
  const insert = 'INSERT INTO batched (k, v) VALUES (?, ?)';
  await client.batch([{ query: insert, params: [1, 'a'] }, { query: insert, params: [2, 'b'] }], PREPARED);
  await client.batch([{ query: insert, params: [3, 'c'] }, "INSERT INTO batched (k, v) VALUES (4, 'd')"], { logged: false, hints: [['int', 'text']] });
  assert.equal((await run('SELECT k FROM batched')).rows.length, 4);
  await client.batch([{ query: 'UPDATE counts SET n = n + ? WHERE k = ?', params: [5, 'b'] }], { ...PREPARED, counter: true });
  assert.equal((await run("SELECT n FROM counts WHERE k = 'b'")).first().n.toString(), '5');
});

test('lightweight transactions', async () => {
  await table('accounts', 'id int PRIMARY KEY, owner text, balance int');
  const insert = 'INSERT INTO accounts (id, owner, balance) VALUES (?, ?, ?) IF NOT EXISTS';
  assert.equal((await run(insert, [1, 'Ada', 10])).wasApplied(), true);
  const again = await run(insert, [1, 'Bob', 20]);
  assert.equal(again.wasApplied(), false);
  assert.deepEqual({ ...again.first() }, { '[applied]': false, id: 1, balance: 10, owner: 'Ada' });
  const update = 'UPDATE accounts SET balance = ? WHERE id = ? IF balance = ?';
  assert.equal((await run(update, [20, 1, 10], { serialConsistency: consistencies.localSerial })).wasApplied(), true);
  const stale = await run(update, [30, 1, 10]);
  assert.deepEqual({ ...stale.first() }, { '[applied]': false, balance: 20 });
  assert.equal((await run('DELETE FROM accounts WHERE id = ? IF EXISTS', [1])).wasApplied(), true);
  assert.equal((await run('DELETE FROM accounts WHERE id = ? IF EXISTS', [1])).wasApplied(), false);
});

test('values by name', async () => {
  await table('named', 'k int PRIMARY KEY, v text');
  await run('INSERT INTO named (k, v) VALUES (:key, :value)', { key: 1, value: 'x' });
  const row = (await run('SELECT v FROM named WHERE k = :key', { key: 1 })).first();
  assert.equal(row.get('v'), 'x');
  assert.equal(row.v, 'x');
});

test('many requests in flight', async () => {
  await table('busy', 'k int PRIMARY KEY, v int');
  await Promise.all(Array.from({ length: 1000 }, (_, k) => run('INSERT INTO busy (k, v) VALUES (?, ?)', [k, k * k])));
  const rows = await Promise.all(Array.from({ length: 1000 }, (_, k) => run('SELECT v FROM busy WHERE k = ?', [k])));
  rows.forEach((result, k) => assert.equal(result.first().v, k * k));
});

test('schema metadata', async () => {
  await client.execute('DROP TABLE IF EXISTS described');
  await client.execute(`CREATE TABLE described (p1 int, p2 text, c1 timestamp, c2 int, s int static, v map<text, frozen<list<int>>>,
    PRIMARY KEY ((p1, p2), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC) AND comment = 'hello'`);
  const meta = await client.metadata.getTable(KEYSPACE, 'described');
  assert.deepEqual(meta.partitionKeys.map((column) => column.name), ['p1', 'p2']);
  assert.deepEqual(meta.clusteringKeys.map((column) => column.name), ['c1', 'c2']);
  assert.deepEqual(meta.clusteringOrder, ['DESC', 'ASC']);
  assert.deepEqual(meta.columns.map((column) => column.name).sort(), ['c1', 'c2', 'p1', 'p2', 's', 'v']);
  assert.equal(meta.comment, 'hello');
  assert.equal(meta.columnsByName.v.type.code, types.dataTypes.map);
  const street = await client.metadata.getUdt(KEYSPACE, 'street');
  assert.deepEqual(street.fields.map((field) => field.name), ['name', 'number']);
  await client.metadata.refreshKeyspace(KEYSPACE);
  assert.equal(client.metadata.keyspaces[KEYSPACE].strategyOptions.replication_factor, '1');
});

test('a schema change is seen by another client', async () => {
  const watcher = newClient();
  await watcher.connect();
  await client.execute('DROP TABLE IF EXISTS announced');
  await client.execute('CREATE TABLE announced (k int PRIMARY KEY)');
  assert.deepEqual((await watcher.metadata.getTable(KEYSPACE, 'announced')).columns.map((column) => column.name), ['k']);
  await client.execute('ALTER TABLE announced ADD extra text');
  let names = [];
  for (let i = 0; i < 100 && names.length < 2; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    names = (await watcher.metadata.getTable(KEYSPACE, 'announced')).columns.map((column) => column.name);
  }
  assert.deepEqual(names.sort(), ['extra', 'k']);
  await watcher.shutdown();
});

test('errors with their codes', async () => {
  const codes = types.responseErrorCodes;
  await refused(client.execute('SELEKT 1'), codes.syntaxError, /no viable alternative|line 1:0/);
  await refused(client.execute('SELECT * FROM nothing'), codes.invalid, /table nothing does not exist/);
  await refused(run('SELECT nothing FROM busy'), codes.invalid, /Undefined column name nothing/);
  await refused(client.execute('CREATE TABLE busy (k int PRIMARY KEY)'), codes.alreadyExists, /Cannot add already existing table/);
  await refused(client.execute('DROP TABLE system.local'), codes.unauthorized, /system keyspace/);
  await client.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}_rf3`);
  await client.execute(`CREATE KEYSPACE ${KEYSPACE}_rf3 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}`);
  await client.execute(`CREATE TABLE ${KEYSPACE}_rf3.t (k int PRIMARY KEY)`);
  const retry = new policies.retry.FallthroughRetryPolicy();
  const error = await refused(client.execute(`SELECT * FROM ${KEYSPACE}_rf3.t WHERE k = 1`, [], { consistency: consistencies.quorum, retry }),
    codes.unavailableException, /Cannot achieve consistency level QUORUM|Not enough replicas/i);
  assert.deepEqual([error.consistencies, error.required, error.alive], [consistencies.quorum, 2, 1]);
  await client.execute(`DROP KEYSPACE ${KEYSPACE}_rf3`);
});

test('tracing', async () => {
  const result = await client.execute('SELECT * FROM busy WHERE k = 1', [], { traceQuery: true });
  assert.ok(result.info.traceId);
  const trace = await client.metadata.getTrace(result.info.traceId);
  assert.equal(trace.requestType, 'Execute CQL3 query');
  assert.equal(trace.parameters.query, 'SELECT * FROM busy WHERE k = 1');
  assert.ok(trace.duration > 0 && trace.events.length > 0);
});

test('the mapper', async () => {
  await table('users', 'id int PRIMARY KEY, first_name text, age int');
  const mapper = new mapping.Mapper(client, { models: { User: { tables: ['users'], mappings: new mapping.UnderscoreCqlToCamelCaseMappings() } } });
  const users = mapper.forModel('User');
  await users.insert({ id: 1, firstName: 'Ada', age: 36 });
  assert.equal((await users.get({ id: 1 })).firstName, 'Ada');
  await users.update({ id: 1, age: 37 });
  assert.equal((await users.findAll()).first().age, 37);
  await users.remove({ id: 1 });
  assert.equal(await users.get({ id: 1 }), null);
});

async function main() {
  const setup = newClient();
  await setup.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`);
  await setup.execute(`CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`);
  let failed = 0;
  for (const { name, body } of tests) {
    try {
      await body();
      console.log(`ok     ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.stack}`);
    }
  }
  await setup.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`);
  await Promise.all([setup.shutdown(), client.shutdown()]);
  console.log(`node: ${tests.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

main().catch((error) => {
  console.log(`FAILED before the tests\n${error.stack}\nnode: 0 passed, ${tests.length} failed`);
  process.exitCode = 1;
});
