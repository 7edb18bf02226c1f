from cassandra.cluster import Cluster

cluster = Cluster(['127.0.0.1'])
session = cluster.connect()

# Create a keyspace
session.execute("CREATE KEYSPACE IF NOT EXISTS examples WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")

# Connect to the examples keyspace
session.set_keyspace("examples")

# Create a table
session.execute("CREATE TABLE IF NOT EXISTS users (id int PRIMARY KEY, name text, age int)")

# Insert data
session.execute("INSERT INTO users (id, name, age) VALUES (1, 'John Smith', 30)")
session.execute("INSERT INTO users (id, name, age) VALUES (2, 'Jane Smith', 25)")

# Query the data
results = session.execute("SELECT * FROM users")
for row in results:
    print(row.id, row.name, row.age)

# prepare statement
query = "INSERT INTO users (id, name, age) VALUES (?, ?, ?)"
prepared_stmt = session.prepare(query)

# insert data with prepared statement
session.execute(prepared_stmt, (3, 'User3', 40))
