import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.DefaultProtocolVersion;
import com.datastax.oss.driver.api.core.cql.QueryTrace;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.schema.ClusteringOrder;
import com.datastax.oss.driver.api.core.metadata.schema.ColumnMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.SchemaChangeListenerBase;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import com.datastax.oss.driver.api.core.servererrors.AlreadyExistsException;
import com.datastax.oss.driver.api.core.servererrors.InvalidConfigurationInQueryException;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.SyntaxError;
import com.datastax.oss.driver.api.core.servererrors.UnauthorizedException;
import com.datastax.oss.driver.api.core.servererrors.UnavailableException;
import com.datastax.oss.driver.api.core.type.DataTypes;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** What the driver learns of node and schema, schema events, errors, tracing. */
final class Schema {
  private Schema() {}

  static void tests() {
    Client.test("default settings connect", Schema::defaultSettings);
    Client.test("schema metadata", Schema::metadata);
    Client.test("another session sees schema changes", Schema::events);
    Client.test("errors with their types", Schema::errors);
    Client.test("unavailable, and a warning", Schema::unavailable);
    Client.test("tracing", Schema::tracing);
  }

  private static void defaultSettings(CqlSession unused) {
    try (CqlSession session = Client.node().build()) {
      Client.equal(session.getContext().getProtocolVersion(), DefaultProtocolVersion.V5);
      Client.equal(session.getMetadata().getNodes().size(), 1);
      Node node = session.getMetadata().getNodes().values().iterator().next();
      Client.equal(node.getDatacenter() + " " + node.getRack(), "datacenter1 rack1");
      Client.equal(node.getCassandraVersion().getMajor() >= 4, true);
      Client.equal(session.getMetadata().getTokenMap().orElseThrow().getTokenRanges().size(), 16);
      Client.equal(session.execute("SELECT key FROM system.local").one().getString("key"), "local");
    }
  }

  private static List<String> names(Iterable<ColumnMetadata> columns) {
    List<String> names = new java.util.ArrayList<>();
    columns.forEach(column -> names.add(column.getName().asInternal()));
    return names;
  }

  private static void metadata(CqlSession session) {
    Client.table(session, "described", "p1 int, p2 text, c1 timestamp, c2 int, s int static, "
        + "v map<text, frozen<list<int>>>, w vector<float, 3>, PRIMARY KEY ((p1, p2), c1, c2)) "
        + "WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC");
    session.refreshSchema();
    KeyspaceMetadata keyspace = session.getMetadata().getKeyspace(Client.KEYSPACE).orElseThrow();
    Client.equal(keyspace.getReplication().get("replication_factor"), "1");
    TableMetadata table = keyspace.getTable("described").orElseThrow();
    Client.equal(names(table.getPartitionKey()), List.of("p1", "p2"));
    Client.equal(names(table.getClusteringColumns().keySet()), List.of("c1", "c2"));
    Client.equal(List.copyOf(table.getClusteringColumns().values()), List.of(ClusteringOrder.DESC, ClusteringOrder.ASC));
    Client.equal(table.getColumns().size(), 7);
    Client.equal(table.getColumn("s").orElseThrow().isStatic(), true);
    Client.equal(table.getColumn("v").orElseThrow().getType(),
        DataTypes.mapOf(DataTypes.TEXT, DataTypes.frozenListOf(DataTypes.INT)));
    Client.equal(table.getColumn("w").orElseThrow().getType(), DataTypes.vectorOf(DataTypes.FLOAT, 3));
    String script = table.describe(true).lines().map(String::strip).collect(Collectors.joining("\n"));
    String want = "CREATE TABLE client_java.described (\np1 int,\np2 text,\nc1 timestamp,\nc2 int,\n"
        + "v map<text, frozen<list<int>>>,\nw vector<float, 3>,\ns int static,\n"
        + "PRIMARY KEY ((p1, p2), c1, c2)\n) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)\nAND additional_write_policy";
    Client.equal(script.substring(0, Math.min(script.length(), want.length())), want);
    Client.equal(keyspace.getUserDefinedType("street").orElseThrow().getFieldNames().size(), 2);
    Client.equal(session.checkSchemaAgreement(), true);
  }

  private static final class Heard extends SchemaChangeListenerBase {
    final BlockingQueue<String> seen = new LinkedBlockingQueue<>();

    @Override public void onKeyspaceCreated(KeyspaceMetadata keyspace) {
      seen.add("created " + keyspace.getName());
    }

    @Override public void onKeyspaceDropped(KeyspaceMetadata keyspace) {
      seen.add("dropped " + keyspace.getName());
    }

    @Override public void onTableCreated(TableMetadata table) {
      seen.add("created table " + table.getName());
    }

    @Override public void onTableUpdated(TableMetadata current, TableMetadata previous) {
      seen.add("updated table to " + current.getColumns().size() + " columns");
    }

    @Override public void onTableDropped(TableMetadata table) {
      seen.add("dropped table " + table.getName());
    }

    void expect(String what) throws InterruptedException {
      for (String got = ""; !what.equals(got); ) {
        got = seen.poll(10, TimeUnit.SECONDS);
        if (got == null) {
          throw new AssertionError("not heard within 10 s: " + what);
        }
      }
    }
  }

  private static void events(CqlSession session) throws InterruptedException {
    Heard heard = new Heard();
    session.execute("DROP KEYSPACE IF EXISTS client_java_events");
    try (CqlSession watcher = Client.node().withConfigLoader(Client.config().build()).withSchemaChangeListener(heard).build()) {
      session.execute("CREATE KEYSPACE client_java_events WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
      heard.expect("created client_java_events");
      session.execute("CREATE TABLE client_java_events.t (k int PRIMARY KEY)");
      heard.expect("created table t");
      session.execute("ALTER TABLE client_java_events.t ADD v int");
      heard.expect("updated table to 2 columns");
      session.execute("DROP TABLE client_java_events.t");
      heard.expect("dropped table t");
      session.execute("DROP KEYSPACE client_java_events");
      heard.expect("dropped client_java_events");
    }
  }

  private static <E extends RuntimeException> E refused(Class<E> type, Runnable action) {
    try {
      action.run();
    } catch (RuntimeException error) {
      if (type.isInstance(error)) {
        return type.cast(error);
      }
      throw error;
    }
    throw new AssertionError("no " + type.getSimpleName());
  }

  private static void errors(CqlSession session) {
    refused(SyntaxError.class, () -> session.execute("SELECT FROM WHERE"));
    InvalidQueryException invalid = refused(InvalidQueryException.class, () -> session.execute("SELECT * FROM nothing"));
    Client.equal(invalid.getMessage(), "table nothing does not exist");
    refused(InvalidQueryException.class, () -> session.prepare("SELECT nothing FROM busy"));
    AlreadyExistsException exists = refused(AlreadyExistsException.class, () -> session.execute("CREATE TABLE busy (k int PRIMARY KEY)"));
    Client.equal(exists.getMessage(), "Object client_java.busy already exists");
    refused(UnauthorizedException.class, () -> session.execute("DROP TABLE system.local"));
    refused(InvalidConfigurationInQueryException.class,
        () -> session.execute("CREATE KEYSPACE bad WITH replication = {'class': 'NoSuchStrategy'}"));
  }

  private static void unavailable(CqlSession session) {
    session.execute("DROP KEYSPACE IF EXISTS client_java_rf3");
    ResultSet created = session.execute(
        "CREATE KEYSPACE client_java_rf3 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}");
    Client.equal(created.getExecutionInfo().getWarnings().size(), 1);
    session.execute("CREATE TABLE client_java_rf3.t (k int PRIMARY KEY)");
    SimpleStatement insert = SimpleStatement.newInstance("INSERT INTO client_java_rf3.t (k) VALUES (1)")
        .setConsistencyLevel(DefaultConsistencyLevel.QUORUM);
    try {
      session.execute(insert);
      throw new AssertionError("one of three replicas is no quorum");
    } catch (com.datastax.oss.driver.api.core.AllNodesFailedException | UnavailableException error) {
      UnavailableException cause = error instanceof UnavailableException ? (UnavailableException) error
          : (UnavailableException) ((com.datastax.oss.driver.api.core.AllNodesFailedException) error)
              .getAllErrors().values().iterator().next().get(0);
      Client.equal(List.of(cause.getConsistencyLevel(), cause.getRequired(), cause.getAlive()),
          List.of(DefaultConsistencyLevel.QUORUM, 2, 1));
    }
    session.execute("DROP KEYSPACE client_java_rf3");
  }

  private static void tracing(CqlSession session) {
    ResultSet traced = session.execute(SimpleStatement.newInstance("SELECT * FROM busy WHERE k = 1").setTracing(true));
    QueryTrace trace = traced.getExecutionInfo().getQueryTrace();
    Client.equal(trace.getRequestType(), "Execute CQL3 query");
    Client.equal(trace.getParameters().get("query"), "SELECT * FROM busy WHERE k = 1");
    Client.equal(trace.getDurationMicros() > 0 && !trace.getEvents().isEmpty(), true);
  }
}
