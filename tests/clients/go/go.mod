module helenus/tests/clients/go

go 1.23

require github.com/apache/cassandra-gocql-driver/v2 v2.1.2
