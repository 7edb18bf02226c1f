// The program that uses Helenus through the Go driver.
//
// HELENUS_HOST and HELENUS_PORT say where the node is. Last line: "go: N passed, N failed".
//
// Read in order: main.go (the list of tests), values.go (types), statements.go (paging, batches,
// conditions), schema.go (metadata, events, errors).
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

const keyspace = "client_go"

type test struct {
	name string
	body func(*gocql.Session)
}

var tests = []test{
	{"default settings connect", defaultSettings},
	{"every native type, there and back", natives},
	{"null and unset", nullAndUnset},
	{"collections", collections},
	{"tuples and vectors", tuplesAndVectors},
	{"user types", userTypes},
	{"counters", counters},
	{"pages of every size", pages},
	{"a page state is resumed by another session", resumedPage},
	{"slices, order and limits", slices},
	{"token ranges", tokenRanges},
	{"static columns, TTL and timestamps", staticsAndClocks},
	{"values by name", valuesByName},
	{"batches", batches},
	{"lightweight transactions", transactions},
	{"many requests in flight", inFlight},
	{"both compressions and versions 4 and 5", versions},
	{"schema metadata", metadata},
	{"another session sees schema changes", schemaEvents},
	{"errors with their types", requestErrors},
	{"tracing", tracing},
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func cluster() *gocql.ClusterConfig {
	config := gocql.NewCluster(environment("HELENUS_HOST", "127.0.0.1"))
	port, err := strconv.Atoi(environment("HELENUS_PORT", "9042"))
	must(err)
	config.Port = port
	config.Timeout = 30 * time.Second
	config.ConnectTimeout = 10 * time.Second
	config.Consistency = gocql.One
	return config
}

func open(config *gocql.ClusterConfig) *gocql.Session {
	session, err := config.CreateSession()
	must(err)
	return session
}

// must ends the running test with the error.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("got %#v, want %#v", got, want))
	}
}

func execute(session *gocql.Session, query string, values ...any) {
	if err := session.Query(query, values...).Exec(); err != nil {
		panic(fmt.Errorf("%s: %w", query, err))
	}
}

// table makes a fresh, empty table.
func table(session *gocql.Session, name, columns string) {
	execute(session, "DROP TABLE IF EXISTS "+name)
	execute(session, fmt.Sprintf("CREATE TABLE %s (%s)", name, columns))
}

// run gives false and says why if the test panicked.
func (t test) run(session *gocql.Session) (passed bool) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Printf("FAILED %s: %v\n", t.name, reason)
			passed = false
		}
	}()
	t.body(session)
	fmt.Printf("ok     %s\n", t.name)
	return true
}

func main() {
	setup := open(cluster())
	execute(setup, "DROP KEYSPACE IF EXISTS "+keyspace)
	execute(setup, "CREATE KEYSPACE "+keyspace+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	config := cluster()
	config.Keyspace = keyspace
	session := open(config)
	passed, failed := 0, 0
	for _, test := range tests {
		if test.run(session) {
			passed++
		} else {
			failed++
		}
	}
	session.Close()
	execute(setup, "DROP KEYSPACE IF EXISTS "+keyspace)
	setup.Close()
	fmt.Printf("go: %d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func ctx() context.Context { return context.Background() }
