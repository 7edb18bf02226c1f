import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.DefaultProtocolVersion;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/** Paging, slices, batches, conditions, clocks. */
final class Statements {
  private Statements() {}

  static void tests() {
    Client.test("pages of every size", Statements::pages);
    Client.test("a page state is resumed by another session", Statements::resumedPage);
    Client.test("slices, order and limits", Statements::slices);
    Client.test("token ranges", Statements::tokenRanges);
    Client.test("static columns, TTL and timestamps", Statements::staticsAndClocks);
    Client.test("values by name", Statements::valuesByName);
    Client.test("batches", Statements::batches);
    Client.test("lightweight transactions", Statements::transactions);
    Client.test("many requests in flight", Statements::inFlight);
    Client.test("versions 3, 4 and 5, with and without LZ4", Statements::versions);
  }

  /** Starts all requests, a hundred at a time, and waits for them. */
  private static List<AsyncResultSet> parallel(int count, IntFunction<CompletionStage<AsyncResultSet>> start) {
    List<AsyncResultSet> results = new ArrayList<>();
    for (int from = 0; from < count; from += 100) {
      List<CompletionStage<AsyncResultSet>> running = new ArrayList<>();
      for (int i = from; i < Math.min(count, from + 100); i++) {
        running.add(start.apply(i));
      }
      running.forEach(stage -> results.add(stage.toCompletableFuture().join()));
    }
    return results;
  }

  private static void pages(CqlSession session) {
    Client.table(session, "pages", "p int, c int, v text, PRIMARY KEY (p, c)");
    PreparedStatement insert = session.prepare("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)");
    parallel(2000, i -> session.executeAsync(insert.bind(i / 200, i % 200, "" + i)));
    for (int size : new int[] {1, 7, 199, 200, 201, 2000, 5000}) {
      String query = size == 1 ? "SELECT p, c, v FROM pages WHERE p = 4" : "SELECT p, c, v FROM pages";
      Set<Integer> seen = new HashSet<>();
      for (Row row : session.execute(SimpleStatement.newInstance(query).setPageSize(size))) {
        int number = row.getInt("p") * 200 + row.getInt("c");
        Client.equal(row.getString("v"), "" + number);
        Client.equal(seen.add(number), true);
      }
      Client.equal(seen.size(), size == 1 ? 200 : 2000);
    }
  }

  private static void resumedPage(CqlSession session) {
    try (CqlSession other = Client.connect()) {
      List<Integer> seen = new ArrayList<>();
      ByteBuffer state = null;
      SimpleStatement select = SimpleStatement.newInstance("SELECT c FROM client_java.pages WHERE p = 3").setPageSize(30);
      for (int turn = 0; turn == 0 || state != null; turn++) {
        ResultSet page = (turn % 2 == 0 ? session : other).execute(select.setPagingState(state));
        state = page.getExecutionInfo().getPagingState();
        for (int rows = page.getAvailableWithoutFetching(); rows > 0; rows--) {
          seen.add(page.one().getInt(0));
        }
      }
      Client.equal(seen.size(), 200);
      for (int c = 0; c < 200; c++) {
        Client.equal(seen.get(c), c);
      }
    }
  }

  private static List<Integer> ints(CqlSession session, String query, Object... values) {
    return Client.run(session, query, values).stream().map(row -> row.getInt(0)).collect(Collectors.toList());
  }

  private static void slices(CqlSession session) {
    Client.equal(ints(session, "SELECT c FROM pages WHERE p = ? AND c >= ? AND c < ?", 1, 5, 8), List.of(5, 6, 7));
    Client.equal(ints(session, "SELECT c FROM pages WHERE p = ? ORDER BY c DESC LIMIT ?", 1, 3), List.of(199, 198, 197));
    Client.equal(ints(session, "SELECT c FROM pages WHERE p = ? AND c IN ?", 1, List.of(7, 3, 500)), List.of(3, 7));
    Client.equal(ints(session, "SELECT c FROM pages PER PARTITION LIMIT 2").size(), 20);
    Client.equal(ints(session, "SELECT c FROM pages WHERE p IN ? AND c = ?", List.of(1, 2, 77), 5).size(), 2);
    Client.equal(Client.one(session, "SELECT count(*) FROM pages").getLong(0), 2000L);
  }

  private static void tokenRanges(CqlSession session) {
    List<Row> tokens = Client.run(session, "SELECT DISTINCT token(p) AS t, p FROM pages");
    Client.equal(tokens.size(), 10);
    for (int i = 1; i < tokens.size(); i++) {
      Row found = Client.one(session, "SELECT DISTINCT p FROM pages WHERE token(p) > ? AND token(p) <= ?",
          tokens.get(i - 1).getLong("t"), tokens.get(i).getLong("t"));
      Client.equal(found.getInt("p"), tokens.get(i).getInt("p"));
      ByteBuffer key = ByteBuffer.allocate(4).putInt(0, found.getInt("p"));
      Client.equal(session.getMetadata().getTokenMap().orElseThrow().newToken(key), tokens.get(i).getToken("t"));
    }
  }

  private static void staticsAndClocks(CqlSession session) {
    Client.table(session, "mixed", "p int, c int, s text static, v text, PRIMARY KEY (p, c)");
    Client.run(session, "INSERT INTO mixed (p, c, s, v) VALUES (1, 1, ?, ?) USING TTL ?", "shared", "one", 1000);
    session.execute(session.prepare("INSERT INTO mixed (p, c, v) VALUES (1, 2, ?)").bind("two").setQueryTimestamp(123_456));
    List<Row> rows = Client.run(session, "SELECT s, ttl(v) AS t, writetime(v) AS w FROM mixed WHERE p = 1");
    Client.equal(rows.get(0).getString("s") + rows.get(1).getString("s"), "sharedshared");
    Client.equal(rows.get(0).getInt("t") > 900 && rows.get(1).isNull("t"), true);
    Client.equal(rows.get(1).getLong("w"), 123_456L);
  }

  private static void valuesByName(CqlSession session) {
    Client.table(session, "named", "k int PRIMARY KEY, v text, w text");
    session.execute(SimpleStatement.newInstance(
        "INSERT INTO named (k, v, w) VALUES (:key, :value, :value)", Map.of("key", 1, "value", "x")));
    session.execute(session.prepare("UPDATE named SET w = :w WHERE k = :key").bind().setInt("key", 1).setString("w", "y"));
    Client.equal(Client.one(session, "SELECT * FROM named WHERE k = 1").getFormattedContents(), "[k:1, v:'x', w:'y']");
  }

  private static void batches(CqlSession session) {
    Client.table(session, "batched", "k int PRIMARY KEY, v text");
    PreparedStatement insert = session.prepare("INSERT INTO batched (k, v) VALUES (?, ?)");
    for (DefaultBatchType kind : List.of(DefaultBatchType.LOGGED, DefaultBatchType.UNLOGGED)) {
      int base = kind == DefaultBatchType.LOGGED ? 0 : 10;
      session.execute(BatchStatement.newInstance(kind, insert.bind(base + 1, "a"), insert.bind(base + 2, "b"),
          SimpleStatement.newInstance("INSERT INTO batched (k, v) VALUES (?, ?)", 99, "simple")));
    }
    Client.equal(ints(session, "SELECT k FROM batched").size(), 5);
    PreparedStatement add = session.prepare("UPDATE counts SET n = n + ? WHERE k = ?");
    session.execute(BatchStatement.newInstance(DefaultBatchType.COUNTER, add.bind(2L, "b"), add.bind(5L, "b")));
    Client.equal(Client.one(session, "SELECT n FROM counts WHERE k = 'b'").getLong(0), 7L);
  }

  private static void transactions(CqlSession session) {
    Client.table(session, "accounts", "id int PRIMARY KEY, owner text, balance int");
    PreparedStatement insert = session.prepare("INSERT INTO accounts (id, owner, balance) VALUES (?, ?, ?) IF NOT EXISTS");
    Client.equal(session.execute(insert.bind(1, "Ada", 10)).wasApplied(), true);
    ResultSet refused = session.execute(insert.bind(1, "Bob", 20));
    Client.equal(refused.wasApplied(), false);
    Client.equal(refused.one().getFormattedContents(), "[\"[applied]\":false, id:1, balance:10, owner:'Ada']");
    PreparedStatement update = session.prepare("UPDATE accounts SET balance = ? WHERE id = ? IF balance = ?");
    Client.equal(session.execute(update.bind(20, 1, 10)
        .setSerialConsistencyLevel(DefaultConsistencyLevel.LOCAL_SERIAL)).wasApplied(), true);
    refused = session.execute(update.bind(30, 1, 10));
    Client.equal(refused.one().getFormattedContents(), "[\"[applied]\":false, balance:20]");
    Client.equal(session.execute("DELETE FROM accounts WHERE id = 1 IF EXISTS").wasApplied(), true);
    Client.equal(session.execute("DELETE FROM accounts WHERE id = 1 IF EXISTS").wasApplied(), false);
  }

  private static void inFlight(CqlSession session) {
    Client.table(session, "busy", "k int PRIMARY KEY, v int");
    PreparedStatement insert = session.prepare("INSERT INTO busy (k, v) VALUES (?, ?)");
    parallel(1000, k -> session.executeAsync(insert.bind(k, k * k)));
    PreparedStatement select = session.prepare("SELECT k, v FROM busy WHERE k = ?");
    List<AsyncResultSet> results = parallel(1000, k -> session.executeAsync(select.bind(k)));
    for (int k = 0; k < 1000; k++) {
      Client.equal(results.get(k).one().getInt("v"), k * k);
    }
  }

  private static void versions(CqlSession session) {
    for (String version : List.of("V3", "V4", "V5")) {
      for (String compression : List.of("none", "lz4")) {
        try (CqlSession other = Client.node().withConfigLoader(Client.config()
            .withString(DefaultDriverOption.PROTOCOL_VERSION, version)
            .withString(DefaultDriverOption.PROTOCOL_COMPRESSION, compression).build())
            .withKeyspace(Client.KEYSPACE).build()) {
          Client.equal(other.getContext().getProtocolVersion(), DefaultProtocolVersion.valueOf(version));
          Client.equal(ints(other, "SELECT c FROM pages WHERE p = 1").size(), 200);
          Client.run(other, "INSERT INTO pages (p, c, v) VALUES (1, 1, ?)", "x".repeat(200_000));
          Client.equal(Client.one(other, "SELECT v FROM pages WHERE p = 1 AND c = 1").getString(0).length(), 200_000);
        }
      }
    }
  }
}
