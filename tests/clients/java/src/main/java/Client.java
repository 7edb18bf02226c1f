import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.config.ProgrammaticDriverConfigLoaderBuilder;
import com.datastax.oss.driver.api.core.cql.Row;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The program that uses Helenus through the Java driver.
 *
 * <p>HELENUS_HOST and HELENUS_PORT say where the node is. Last line: {@code java: N passed, N failed}.
 *
 * <p>Read in order: this file (running the tests), {@link Values} (types), {@link Statements} (paging,
 * batches, conditions), {@link Schema} (metadata, events, errors).
 */
final class Client {
  static final String KEYSPACE = "client_java";

  interface Body {
    void run(CqlSession session) throws Exception;
  }

  private static final List<String> NAMES = new ArrayList<>();
  private static final List<Body> BODIES = new ArrayList<>();

  static void test(String name, Body body) {
    NAMES.add(name);
    BODIES.add(body);
  }

  static ProgrammaticDriverConfigLoaderBuilder config() {
    return DriverConfigLoader.programmaticBuilder()
        .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
        .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(10))
        .withDuration(DefaultDriverOption.METADATA_SCHEMA_REQUEST_TIMEOUT, Duration.ofSeconds(30))
        .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(10))
        .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ofMillis(100));
  }

  /** A builder that knows the node, and nothing else that a default program does not say. */
  static CqlSessionBuilder node() {
    String host = System.getenv().getOrDefault("HELENUS_HOST", "127.0.0.1");
    int port = Integer.parseInt(System.getenv().getOrDefault("HELENUS_PORT", "9042"));
    return CqlSession.builder()
        .addContactPoint(new InetSocketAddress(host, port))
        .withLocalDatacenter("datacenter1");
  }

  static CqlSession connect() {
    return node().withConfigLoader(config().build()).build();
  }

  static void equal(Object got, Object want) {
    if (!Objects.equals(got, want)) {
      throw new AssertionError("got " + got + ", want " + want);
    }
  }

  static void table(CqlSession session, String name, String columns) {
    session.execute("DROP TABLE IF EXISTS " + name);
    session.execute("CREATE TABLE " + name + " (" + columns + ")");
  }

  /** Prepares, binds and executes. */
  static List<Row> run(CqlSession session, String query, Object... values) {
    return session.execute(session.prepare(query).bind(values)).all();
  }

  static Row one(CqlSession session, String query, Object... values) {
    List<Row> rows = run(session, query, values);
    equal(rows.size(), 1);
    return rows.get(0);
  }

  public static void main(String[] arguments) {
    Values.tests();
    Statements.tests();
    Schema.tests();
    int failed = 0;
    try (CqlSession session = connect()) {
      session.execute("DROP KEYSPACE IF EXISTS " + KEYSPACE);
      session.execute("CREATE KEYSPACE " + KEYSPACE
          + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
      session.execute("USE " + KEYSPACE);
      equal(session.getKeyspace().orElseThrow(), CqlIdentifier.fromCql(KEYSPACE));
      for (int i = 0; i < BODIES.size(); i++) {
        try {
          BODIES.get(i).run(session);
          System.out.println("ok     " + NAMES.get(i));
        } catch (Throwable problem) {
          failed++;
          System.out.println("FAILED " + NAMES.get(i));
          problem.printStackTrace(System.out);
        }
      }
      session.execute("DROP KEYSPACE IF EXISTS " + KEYSPACE);
    }
    System.out.println("java: " + (BODIES.size() - failed) + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }
}
