package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func metadata(session *gocql.Session) {
	execute(session, "DROP TABLE IF EXISTS described")
	execute(session, "CREATE TABLE described (p1 int, p2 text, c1 timestamp, c2 int, s int static, v map<text, frozen<list<int>>>, "+
		"w vector<float, 3>, PRIMARY KEY ((p1, p2), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)")
	eventually("the new table's metadata", func() bool {
		known, err := session.KeyspaceMetadata(keyspace)
		must(err)
		return known.Tables["described"] != nil && known.UserTypes["street"] != nil
	})
	known, err := session.KeyspaceMetadata(keyspace)
	must(err)
	described := known.Tables["described"]
	names := func(columns []*gocql.ColumnMetadata) (found []string) {
		for _, column := range columns {
			found = append(found, column.Name)
		}
		return found
	}
	equal(names(described.PartitionKey), []string{"p1", "p2"})
	equal(names(described.ClusteringColumns), []string{"c1", "c2"})
	equal(described.ClusteringColumns[0].ClusteringOrder, "desc")
	equal(len(described.Columns), 7)
	equal(described.Columns["s"].Kind, gocql.ColumnStatic)
	equal(known.UserTypes["street"].FieldNames, []string{"name", "number"})
	equal(strings.HasSuffix(known.StrategyClass, "SimpleStrategy"), true)
	must(session.AwaitSchemaAgreement(ctx()))
}

// heard collects the schema events that a session is told of.
type heard struct{ seen chan string }

func (h heard) OnKeyspaceCreated(event gocql.OnKeyspaceCreatedEvent) {
	h.seen <- "created keyspace " + event.Keyspace.Name
}
func (h heard) OnKeyspaceUpdated(gocql.OnKeyspaceUpdatedEvent) { h.seen <- "updated keyspace" }
func (h heard) OnKeyspaceDropped(gocql.OnKeyspaceDroppedEvent) { h.seen <- "dropped keyspace" }
func (h heard) OnTableCreated(event gocql.OnTableCreatedEvent) {
	h.seen <- "created table " + event.Table.Name
}
func (h heard) OnTableUpdated(gocql.OnTableUpdatedEvent) { h.seen <- "updated table" }
func (h heard) OnTableDropped(gocql.OnTableDroppedEvent) { h.seen <- "dropped table" }

func schemaEvents(session *gocql.Session) {
	execute(session, "DROP KEYSPACE IF EXISTS "+keyspace+"_events")
	listener := heard{make(chan string, 100)}
	config := cluster()
	config.Metadata.SchemaListener = gocql.SchemaListenersConfig{KeyspaceChangeListener: listener, TableChangeListener: listener}
	config.Metadata.CacheMode = gocql.Full
	watcher := open(config)
	defer watcher.Close()
	expect := func(want string) {
		deadline := time.After(10 * time.Second)
		for {
			select {
			case got := <-listener.seen:
				if got == want {
					return
				}
			case <-deadline:
				panic("not heard within 10 s: " + want)
			}
		}
	}
	name := keyspace + "_events"
	execute(session, "CREATE KEYSPACE "+name+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	expect("created keyspace " + name)
	execute(session, "CREATE TABLE "+name+".t (k int PRIMARY KEY)")
	expect("created table t")
	execute(session, "ALTER TABLE "+name+".t ADD v int")
	expect("updated table")
	execute(session, "DROP TABLE "+name+".t")
	expect("dropped table")
	execute(session, "DROP KEYSPACE "+name)
	expect("dropped keyspace")
}

func eventually(what string, condition func() bool) {
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("not within 10 s: " + what)
		}
	}
}

func refused[T error](session *gocql.Session, query string) T {
	err := session.Query(query).Exec()
	var wanted T
	if !errors.As(err, &wanted) {
		panic(fmt.Sprintf("%s: want %T, got %T: %v", query, wanted, err, err))
	}
	return wanted
}

func requestErrors(session *gocql.Session) {
	refused[*gocql.RequestErrSyntax](session, "SELECT FROM WHERE")
	equal(refused[*gocql.RequestErrInvalid](session, "SELECT * FROM nothing").Message(), "table nothing does not exist")
	exists := refused[*gocql.RequestErrAlreadyExists](session, "CREATE TABLE busy (k int PRIMARY KEY)")
	equal([]string{exists.Keyspace, exists.Table}, []string{keyspace, "busy"})
	refused[*gocql.RequestErrUnauthorized](session, "DROP TABLE system.local")
	refused[*gocql.RequestErrConfig](session, "CREATE KEYSPACE bad WITH replication = {'class': 'NoSuchStrategy'}")

	name := keyspace + "_rf3"
	execute(session, "DROP KEYSPACE IF EXISTS "+name)
	created := session.Query("CREATE KEYSPACE " + name + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}").Iter()
	equal(len(created.Warnings()), 1)
	must(created.Close())
	execute(session, "CREATE TABLE "+name+".t (k int PRIMARY KEY)")
	err := session.Query("INSERT INTO " + name + ".t (k) VALUES (1)").Consistency(gocql.Quorum).Exec()
	var unavailable *gocql.RequestErrUnavailable
	if !errors.As(err, &unavailable) {
		panic(fmt.Sprintf("want unavailable, got %T: %v", err, err))
	}
	equal([]int{int(unavailable.Consistency), unavailable.Required, unavailable.Alive}, []int{int(gocql.Quorum), 2, 1})
	execute(session, "DROP KEYSPACE "+name)

	var none int
	equal(errors.Is(session.Query("SELECT v FROM busy WHERE k = 123456").Scan(&none), gocql.ErrNotFound), true)
}

func tracing(session *gocql.Session) {
	var text bytes.Buffer
	must(session.Query("SELECT * FROM busy WHERE k = 1").Trace(gocql.NewTraceWriter(session, &text)).Exec())
	if !strings.Contains(text.String(), "Tracing session") || strings.Count(text.String(), "\n") < 3 {
		panic("no trace: " + text.String())
	}
}
