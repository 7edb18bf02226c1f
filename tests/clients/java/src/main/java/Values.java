import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.BoundStatement;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.data.CqlDuration;
import com.datastax.oss.driver.api.core.data.CqlVector;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import com.datastax.oss.driver.api.core.type.codec.TypeCodecs;
import com.datastax.oss.protocol.internal.util.Bytes;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Every type there and back. */
final class Values {
  private Values() {}

  static void tests() {
    Client.test("every native type, there and back", Values::natives);
    Client.test("null and unset", Values::nullAndUnset);
    Client.test("collections", Values::collections);
    Client.test("tuples and vectors", Values::tuplesAndVectors);
    Client.test("user types", Values::userTypes);
    Client.test("counters", Values::counters);
  }

  private static Map<String, List<Object>> nativeValues() throws UnknownHostException {
    Map<String, List<Object>> values = new LinkedHashMap<>();
    values.put("ascii", List.of("plain", ""));
    values.put("bigint", List.of(Long.MIN_VALUE, Long.MAX_VALUE));
    values.put("blob", List.of(Bytes.fromHexString("0xcafe00ff"), Bytes.fromHexString("0x")));
    values.put("boolean", List.of(true, false));
    values.put("date", List.of(LocalDate.of(2026, 3, 1), LocalDate.of(-5_000, 1, 1)));
    values.put("decimal", List.of(new BigDecimal("-12345678901234567890.123"), new BigDecimal("1E+40")));
    values.put("double", List.of(-1.5e300, Double.POSITIVE_INFINITY, Double.NaN, Double.MIN_VALUE));
    values.put("duration", List.of(CqlDuration.newInstance(14, 3, 1), CqlDuration.newInstance(-1, -2, -3)));
    values.put("float", List.of(0.5f, Float.NEGATIVE_INFINITY));
    values.put("inet", List.of(InetAddress.getByName("127.0.0.1"), InetAddress.getByName("2001:db8::1")));
    values.put("int", List.of(Integer.MIN_VALUE, Integer.MAX_VALUE));
    values.put("smallint", List.of(Short.MIN_VALUE));
    values.put("text", List.of("naïve ☃ 𐍈", ""));
    values.put("time", List.of(LocalTime.MIDNIGHT, LocalTime.of(8, 12, 54, 123_456_789)));
    values.put("timestamp", List.of(Instant.parse("1815-12-10T01:02:03.004Z"), Instant.ofEpochMilli(Long.MAX_VALUE)));
    values.put("timeuuid", List.of(UUID.fromString("50554d6e-29bb-11e5-b345-feff819cdc9f")));
    values.put("tinyint", List.of(Byte.MIN_VALUE));
    values.put("uuid", List.of(new UUID(0, 0), UUID.fromString("f47ac10b-58cc-4372-a567-0e02b2c3d479")));
    values.put("varint", List.of(BigInteger.TWO.pow(200).negate(), BigInteger.ZERO, BigInteger.valueOf(128)));
    return values;
  }

  private static void natives(CqlSession session) throws Exception {
    for (Map.Entry<String, List<Object>> type : nativeValues().entrySet()) {
      String name = "native_" + type.getKey();
      Client.table(session, name, "k int PRIMARY KEY, v " + type.getKey());
      int k = 0;
      for (Object value : type.getValue()) {
        Client.run(session, "INSERT INTO " + name + " (k, v) VALUES (?, ?)", k, value);
        Row row = Client.one(session, "SELECT v FROM " + name + " WHERE k = ?", k++);
        Client.equal(row.getObject("v"), value);
      }
    }
  }

  private static void nullAndUnset(CqlSession session) {
    Client.table(session, "nulls", "k int PRIMARY KEY, a text, b int, c list<int>");
    String insert = "INSERT INTO nulls (k, a, b, c) VALUES (1, ?, ?, ?)";
    Client.run(session, insert, "x", 1, List.of(1));
    BoundStatement partial = session.prepare(insert).bind().setToNull("b").setList("c", List.of(), Integer.class);
    Client.equal(partial.isSet("a"), false);
    session.execute(partial);
    Row row = Client.one(session, "SELECT a, b, c FROM nulls WHERE k = 1");
    Client.equal(row.getString("a"), "x");
    Client.equal(row.isNull("b") && row.isNull("c"), true);
  }

  private static void collections(CqlSession session) {
    Client.table(session, "collections", "k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, "
        + "f frozen<list<text>>, n map<text, frozen<list<frozen<set<int>>>>>");
    Map<String, List<Set<Integer>>> nested = Map.of("y", List.of(Set.of(1, 3), Set.of()));
    Client.run(session, "INSERT INTO collections (k, l, s, m, f, n) VALUES (1, ?, ?, ?, ?, ?)",
        List.of(1, 2, 2), Set.of("b", "a"), Map.of("x", -9L), List.of(), nested);
    Row row = Client.one(session, "SELECT l, s, m, f, n FROM collections WHERE k = 1");
    Client.equal(row.getList("l", Integer.class), List.of(1, 2, 2));
    Client.equal(row.getSet("s", String.class), Set.of("a", "b"));
    Client.equal(row.getMap("m", String.class, Long.class), Map.of("x", -9L));
    Client.equal(row.isNull("f"), false);
    Client.equal(row.getList("f", String.class), List.of());
    Client.equal(row.getObject("n"), nested);
    Client.run(session, "UPDATE collections SET l = l + ?, s = s - ?, m[?] = ? WHERE k = 1", List.of(3), Set.of("a"), "z", 1L);
    row = Client.one(session, "SELECT l, s, m FROM collections WHERE k = 1");
    Client.equal(row.getObject("l"), List.of(1, 2, 2, 3));
    Client.equal(row.getObject("s"), Set.of("b"));
    Client.equal(row.getObject("m"), Map.of("x", -9L, "z", 1L));
  }

  private static void tuplesAndVectors(CqlSession session) {
    Client.table(session, "tuples", "k int PRIMARY KEY, t tuple<int, text>, v vector<float, 3>, w vector<text, 2>");
    TupleValue pair = DataTypes.tupleOf(DataTypes.INT, DataTypes.TEXT).newValue(5, "five");
    CqlVector<Float> numbers = CqlVector.newInstance(1f, -2.5f, 0f);
    CqlVector<String> words = CqlVector.newInstance("a", "longer");
    Client.run(session, "INSERT INTO tuples (k, t, v, w) VALUES (1, ?, ?, ?)", pair, numbers, words);
    Row row = Client.one(session, "SELECT t, v, w FROM tuples WHERE k = 1");
    Client.equal(row.getTupleValue("t").getFormattedContents(), pair.getFormattedContents());
    Client.equal(row.getVector("v", Float.class), numbers);
    Client.equal(row.getVector("w", String.class), words);
  }

  private static void userTypes(CqlSession session) {
    session.execute("CREATE TYPE IF NOT EXISTS street (name text, number int)");
    Client.table(session, "homes", "k int PRIMARY KEY, a street, b frozen<street>, c list<frozen<street>>");
    session.refreshSchema();
    UserDefinedType type = session.getMetadata().getKeyspace(Client.KEYSPACE).orElseThrow()
        .getUserDefinedType("street").orElseThrow();
    UdtValue home = type.newValue("Main", 7);
    UdtValue side = type.newValue("Side", null);
    Client.run(session, "INSERT INTO homes (k, a, b, c) VALUES (1, ?, ?, ?)", home, side, List.of(home, side));
    Row row = Client.one(session, "SELECT a, b, c FROM homes WHERE k = 1");
    Client.equal(row.getUdtValue("a").getString("name"), "Main");
    Client.equal(row.getUdtValue("a").getInt("number"), 7);
    Client.equal(row.getUdtValue("b").isNull("number"), true);
    Client.equal(row.getList("c", UdtValue.class).size(), 2);
    Client.run(session, "UPDATE homes SET a.number = ? WHERE k = 1", 8);
    Client.equal(Client.one(session, "SELECT a.number FROM homes WHERE k = 1").getInt(0), 8);
  }

  private static void counters(CqlSession session) {
    Client.table(session, "counts", "k text PRIMARY KEY, n counter");
    for (int i = 0; i < 10; i++) {
      Client.run(session, "UPDATE counts SET n = n + ? WHERE k = ?", 3L, "a");
    }
    Client.equal(Client.one(session, "SELECT n FROM counts WHERE k = ?", "a").get("n", TypeCodecs.COUNTER), 30L);
  }
}
