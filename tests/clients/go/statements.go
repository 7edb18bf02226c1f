package main

import (
	"fmt"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/apache/cassandra-gocql-driver/v2/lz4"
	"github.com/apache/cassandra-gocql-driver/v2/snappy"
)

// parallel runs body for 0..count-1, sixty-four at a time, and gives the first error.
func parallel(count int, body func(int) error) error {
	var group sync.WaitGroup
	slots, failures := make(chan struct{}, 64), make(chan error, count)
	for i := range count {
		group.Add(1)
		slots <- struct{}{}
		go func() {
			defer group.Done()
			if err := body(i); err != nil {
				failures <- err
			}
			<-slots
		}()
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

func pages(session *gocql.Session) {
	table(session, "pages", "p int, c int, v text, PRIMARY KEY (p, c)")
	must(parallel(2000, func(i int) error {
		return session.Query("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)", i/200, i%200, fmt.Sprint(i)).Exec()
	}))
	for _, size := range []int{1, 7, 199, 200, 201, 2000, 5000} {
		query, want := "SELECT p, c, v FROM pages", 2000
		if size == 1 {
			query, want = "SELECT p, c, v FROM pages WHERE p = 4", 200
		}
		seen := map[int]bool{}
		var p, c int
		var v string
		iter := session.Query(query).PageSize(size).Iter()
		for iter.Scan(&p, &c, &v) {
			equal(v, fmt.Sprint(p*200+c))
			seen[p*200+c] = true
		}
		must(iter.Close())
		equal(len(seen), want)
	}
}

func resumedPage(session *gocql.Session) {
	config := cluster()
	config.Keyspace = keyspace
	other := open(config)
	defer other.Close()
	sessions := []*gocql.Session{session, other}
	var state []byte
	next := 0
	for turn := 0; turn == 0 || len(state) > 0; turn++ {
		iter := sessions[turn%2].Query("SELECT c FROM pages WHERE p = 3").PageSize(30).PageState(state).Iter()
		state = iter.PageState()
		var c int
		for rows := iter.NumRows(); rows > 0 && iter.Scan(&c); rows-- {
			equal(c, next)
			next++
		}
		must(iter.Close())
	}
	equal(next, 200)
}

func ints(session *gocql.Session, query string, values ...any) []int {
	found := []int{}
	var value int
	iter := session.Query(query, values...).Iter()
	for iter.Scan(&value) {
		found = append(found, value)
	}
	must(iter.Close())
	return found
}

func slices(session *gocql.Session) {
	equal(ints(session, "SELECT c FROM pages WHERE p = ? AND c >= ? AND c < ?", 1, 5, 8), []int{5, 6, 7})
	equal(ints(session, "SELECT c FROM pages WHERE p = ? ORDER BY c DESC LIMIT ?", 1, 3), []int{199, 198, 197})
	equal(ints(session, "SELECT c FROM pages WHERE p = ? AND c IN ?", 1, []int{7, 3, 500}), []int{3, 7})
	equal(len(ints(session, "SELECT c FROM pages PER PARTITION LIMIT 2")), 20)
	equal(len(ints(session, "SELECT c FROM pages WHERE p IN ? AND c = ?", []int{1, 2, 77}, 5)), 2)
	equal(ints(session, "SELECT count(*) FROM pages"), []int{2000})
}

func tokenRanges(session *gocql.Session) {
	var tokens []int64
	var token int64
	iter := session.Query("SELECT DISTINCT token(p) FROM pages").Iter()
	for iter.Scan(&token) {
		tokens = append(tokens, token)
	}
	must(iter.Close())
	equal(len(tokens), 10)
	for i := 1; i < len(tokens); i++ {
		equal(tokens[i-1] < tokens[i], true)
		found := ints(session, "SELECT DISTINCT p FROM pages WHERE token(p) > ? AND token(p) <= ?", tokens[i-1], tokens[i])
		equal(len(found), 1)
	}
}

func staticsAndClocks(session *gocql.Session) {
	table(session, "mixed", "p int, c int, s text static, v text, PRIMARY KEY (p, c)")
	execute(session, "INSERT INTO mixed (p, c, s, v) VALUES (1, 1, ?, ?) USING TTL ?", "shared", "one", 1000)
	must(session.Query("INSERT INTO mixed (p, c, v) VALUES (1, 2, ?)", "two").WithTimestamp(123456).Exec())
	var s string
	var ttl *int
	var written int64
	must(session.Query("SELECT s, ttl(v) FROM mixed WHERE p = 1 AND c = 1").Scan(&s, &ttl))
	equal(s, "shared")
	equal(ttl != nil && *ttl > 900, true)
	must(session.Query("SELECT s, ttl(v), writetime(v) FROM mixed WHERE p = 1 AND c = 2").Scan(&s, &ttl, &written))
	equal(s, "shared")
	equal(ttl == nil, true)
	equal(written, int64(123456))
}

func valuesByName(session *gocql.Session) {
	table(session, "named", "k int PRIMARY KEY, v text, w text")
	execute(session, "INSERT INTO named (k, v, w) VALUES (:key, :value, :other)",
		gocql.NamedValue("key", 1), gocql.NamedValue("value", "x"), gocql.NamedValue("other", "y"))
	var v, w string
	must(session.Query("SELECT v, w FROM named WHERE k = :key", gocql.NamedValue("key", 1)).Scan(&v, &w))
	equal(v+w, "xy")
	row := map[string]any{}
	must(session.Query("SELECT * FROM named WHERE k = 1").MapScan(row))
	equal(row, map[string]any{"k": 1, "v": "x", "w": "y"})
}

func batches(session *gocql.Session) {
	table(session, "batched", "k int PRIMARY KEY, v text")
	for kind, base := range map[gocql.BatchType]int{gocql.LoggedBatch: 0, gocql.UnloggedBatch: 10} {
		batch := session.Batch(kind)
		batch.Query("INSERT INTO batched (k, v) VALUES (?, ?)", base+1, "a")
		batch.Query("INSERT INTO batched (k, v) VALUES (?, ?)", base+2, "b")
		batch.Query("INSERT INTO batched (k, v) VALUES (99, 'plain')")
		must(batch.Exec())
	}
	equal(len(ints(session, "SELECT k FROM batched")), 5)
	batch := session.Batch(gocql.CounterBatch)
	batch.Query("UPDATE counts SET n = n + ? WHERE k = ?", int64(2), "b")
	batch.Query("UPDATE counts SET n = n + ? WHERE k = ?", int64(5), "b")
	must(batch.Exec())
	equal(ints(session, "SELECT n FROM counts WHERE k = ?", "b"), []int{7})
}

func transactions(session *gocql.Session) {
	table(session, "accounts", "id int PRIMARY KEY, owner text, balance int")
	insert := "INSERT INTO accounts (id, owner, balance) VALUES (?, ?, ?) IF NOT EXISTS"
	cas := func(query string, values ...any) (bool, map[string]any) {
		row := map[string]any{}
		applied, err := session.Query(query, values...).SerialConsistency(gocql.LocalSerial).MapScanCAS(row)
		must(err)
		return applied, row
	}
	applied, _ := cas(insert, 1, "Ada", 10)
	equal(applied, true)
	applied, row := cas(insert, 1, "Bob", 20)
	equal(applied, false)
	equal(row, map[string]any{"id": 1, "owner": "Ada", "balance": 10})
	applied, _ = cas("UPDATE accounts SET balance = ? WHERE id = ? IF balance = ?", 20, 1, 10)
	equal(applied, true)
	applied, row = cas("UPDATE accounts SET balance = ? WHERE id = ? IF balance = ?", 30, 1, 10)
	equal(applied, false)
	equal(row, map[string]any{"balance": 20})
	applied, _ = cas("DELETE FROM accounts WHERE id = ? IF EXISTS", 1)
	equal(applied, true)
	applied, _ = cas("DELETE FROM accounts WHERE id = ? IF EXISTS", 1)
	equal(applied, false)
	batch := session.Batch(gocql.LoggedBatch)
	batch.Query("INSERT INTO accounts (id, owner) VALUES (5, 'x') IF NOT EXISTS")
	applied, iter, err := batch.MapExecCAS(map[string]any{})
	must(err)
	must(iter.Close())
	equal(applied, true)
}

func inFlight(session *gocql.Session) {
	table(session, "busy", "k int PRIMARY KEY, v int")
	must(parallel(1000, func(k int) error {
		return session.Query("INSERT INTO busy (k, v) VALUES (?, ?)", k, k*k).Exec()
	}))
	must(parallel(1000, func(k int) error {
		var v int
		err := session.Query("SELECT v FROM busy WHERE k = ?", k).Scan(&v)
		if err == nil && v != k*k {
			err = fmt.Errorf("k %d has v %d", k, v)
		}
		return err
	}))
}

func versions(*gocql.Session) {
	for _, version := range []int{4, 5} {
		for _, compressor := range []gocql.Compressor{nil, snappy.SnappyCompressor{}, lz4.LZ4Compressor{}} {
			if _, isSnappy := compressor.(snappy.SnappyCompressor); isSnappy && version == 5 {
				continue // version 5 has no Snappy
			}
			config := cluster()
			config.Keyspace = keyspace
			config.ProtoVersion = version
			config.Compressor = compressor
			session := open(config)
			equal(len(ints(session, "SELECT c FROM pages WHERE p = 1")), 200)
			execute(session, "INSERT INTO pages (p, c, v) VALUES (1, 1, ?)", fmt.Sprintf("%100000d", 1))
			var v string
			must(session.Query("SELECT v FROM pages WHERE p = 1 AND c = 1").Scan(&v))
			equal(len(v), 100000)
			session.Close()
		}
	}
}
