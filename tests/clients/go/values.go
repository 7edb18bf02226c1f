package main

import (
	"fmt"
	"math"
	"math/big"
	"net"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"gopkg.in/inf.v0"
)

func defaultSettings(*gocql.Session) {
	session := open(cluster())
	defer session.Close()
	var key, version string
	must(session.Query("SELECT key, release_version FROM system.local").Scan(&key, &version))
	equal(key, "local")
	hosts := session.GetHosts()
	equal(len(hosts), 1)
	equal([]string{hosts[0].DataCenter(), hosts[0].Rack()}, []string{"datacenter1", "rack1"})
}

// thereAndBack writes each value into a table of its own and reads it into a new variable.
func thereAndBack[T any](session *gocql.Session, cqlType string, same func(a, b T) bool, values ...T) {
	name := "native_" + cqlType // never one name for two shapes: this driver keeps what it once prepared
	table(session, name, "k int PRIMARY KEY, v "+cqlType)
	for k, value := range values {
		execute(session, "INSERT INTO "+name+" (k, v) VALUES (?, ?)", k, value)
		var got T
		must(session.Query("SELECT v FROM "+name+" WHERE k = ?", k).Scan(&got))
		if !same(got, value) {
			panic(fmt.Sprintf("%s: got %v, want %v", cqlType, got, value))
		}
	}
}

func identical[T comparable](a, b T) bool { return a == b }

func natives(session *gocql.Session) {
	thereAndBack(session, "ascii", identical, "plain", "")
	thereAndBack(session, "bigint", identical, int64(math.MinInt64), int64(math.MaxInt64))
	thereAndBack(session, "blob", func(a, b []byte) bool { return string(a) == string(b) }, []byte{0xca, 0xfe}, make([]byte, 100_000))
	thereAndBack(session, "boolean", identical, true, false)
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	thereAndBack(session, "date", time.Time.Equal, day, time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC))
	decimal, _ := new(inf.Dec).SetString("-12345678901234567890.123")
	thereAndBack(session, "decimal", func(a, b *inf.Dec) bool { return a.Cmp(b) == 0 }, decimal)
	thereAndBack(session, "double", identical, -1.5e300, math.Inf(1), 5e-324)
	thereAndBack(session, "duration", identical, gocql.Duration{Months: 14, Days: 3, Nanoseconds: 1},
		gocql.Duration{Months: -1, Days: -2, Nanoseconds: -3}, gocql.Duration{Months: math.MaxInt32, Days: math.MaxInt32, Nanoseconds: math.MaxInt64})
	thereAndBack(session, "float", identical, float32(0.5), float32(math.Inf(-1)))
	thereAndBack(session, "inet", net.IP.Equal, net.ParseIP("127.0.0.1"), net.ParseIP("2001:db8::1"))
	thereAndBack(session, "int", identical, math.MinInt32, math.MaxInt32)
	thereAndBack(session, "smallint", identical, int16(math.MinInt16))
	thereAndBack(session, "text", identical, "naïve ☃ 𐍈", "")
	thereAndBack(session, "time", identical, time.Duration(0), 8*time.Hour+12*time.Minute+123456789*time.Nanosecond)
	thereAndBack(session, "timestamp", time.Time.Equal, time.UnixMilli(1772368215123).UTC(), time.Date(1815, 12, 10, 1, 2, 3, 4_000_000, time.UTC))
	thereAndBack(session, "timeuuid", identical, gocql.TimeUUID())
	thereAndBack(session, "tinyint", identical, int8(math.MinInt8))
	thereAndBack(session, "uuid", identical, gocql.MustRandomUUID())
	huge := new(big.Int).Neg(new(big.Int).Exp(big.NewInt(2), big.NewInt(200), nil))
	thereAndBack(session, "varint", func(a, b *big.Int) bool { return a.Cmp(b) == 0 }, huge, big.NewInt(0), big.NewInt(128))
}

func nullAndUnset(session *gocql.Session) {
	table(session, "nulls", "k int PRIMARY KEY, a text, b int, c list<int>")
	execute(session, "INSERT INTO nulls (k, a, b, c) VALUES (1, ?, ?, ?)", "x", 1, []int{1})
	execute(session, "INSERT INTO nulls (k, a, b, c) VALUES (1, ?, ?, ?)", gocql.UnsetValue, nil, []int{})
	var a string
	var b *int
	var c []int
	must(session.Query("SELECT a, b, c FROM nulls WHERE k = 1").Scan(&a, &b, &c))
	equal(a, "x")
	equal(b == nil && len(c) == 0, true)
}

func collections(session *gocql.Session) {
	table(session, "collections", "k int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, "+
		"f frozen<list<text>>, n map<text, frozen<list<int>>>")
	nested := map[string][]int{"y": {3, 4}}
	execute(session, "INSERT INTO collections (k, l, s, m, f, n) VALUES (1, ?, ?, ?, ?, ?)",
		[]int{1, 2, 2}, []string{"b", "a"}, map[string]int64{"x": -9}, []string{}, nested)
	var l []int
	var s, f []string
	var m map[string]int64
	var n map[string][]int
	must(session.Query("SELECT l, s, m, f, n FROM collections WHERE k = 1").Scan(&l, &s, &m, &f, &n))
	equal(l, []int{1, 2, 2})
	equal(s, []string{"a", "b"})
	equal(m, map[string]int64{"x": -9})
	equal(f, []string{})
	equal(n, nested)
	execute(session, "UPDATE collections SET l = l + ?, s = s - ?, m[?] = ? WHERE k = 1", []int{3}, []string{"a"}, "z", int64(1))
	must(session.Query("SELECT l, s, m FROM collections WHERE k = 1").Scan(&l, &s, &m))
	equal(l, []int{1, 2, 2, 3})
	equal(s, []string{"b"})
	equal(m, map[string]int64{"x": -9, "z": 1})
}

func tuplesAndVectors(session *gocql.Session) {
	table(session, "tuples", "k int PRIMARY KEY, t tuple<int, text>, v vector<float, 3>, w vector<text, 2>")
	execute(session, "INSERT INTO tuples (k, t, v, w) VALUES (1, (?, ?), ?, ?)", 1, "one", []float32{1, -2.5, 0}, []string{"a", "longer"})
	var number int
	var text string
	var v []float32
	var w []string
	must(session.Query("SELECT t, v, w FROM tuples WHERE k = 1").Scan(&number, &text, &v, &w))
	equal([]any{number, text}, []any{1, "one"})
	equal(v, []float32{1, -2.5, 0})
	equal(w, []string{"a", "longer"})
}

type street struct {
	Name   string `cql:"name"`
	Number *int   `cql:"number"`
}

func userTypes(session *gocql.Session) {
	execute(session, "CREATE TYPE IF NOT EXISTS street (name text, number int)")
	table(session, "homes", "k int PRIMARY KEY, a street, b frozen<street>, c list<frozen<street>>")
	seven := 7
	home, side := street{"Main", &seven}, street{"Side", nil}
	execute(session, "INSERT INTO homes (k, a, b, c) VALUES (1, ?, ?, ?)", home, side, []street{home, side})
	var a, b street
	var c []street
	must(session.Query("SELECT a, b, c FROM homes WHERE k = 1").Scan(&a, &b, &c))
	equal(a, home)
	equal(b, side)
	equal(c, []street{home, side})
	execute(session, "UPDATE homes SET a.name = ? WHERE k = 1", "Other")
	must(session.Query("SELECT a FROM homes WHERE k = 1").Scan(&a))
	equal(a.Name, "Other")
}

func counters(session *gocql.Session) {
	table(session, "counts", "k text PRIMARY KEY, n counter")
	for range 10 {
		execute(session, "UPDATE counts SET n = n + ? WHERE k = ?", int64(3), "a")
	}
	var n int64
	must(session.Query("SELECT n FROM counts WHERE k = ?", "a").Scan(&n))
	equal(n, int64(30))
}
