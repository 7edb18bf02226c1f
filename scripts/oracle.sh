#!/usr/bin/env bash
# A real Apache Cassandra 5.0 to compare Helenus with, out of Maven Central.
#
#   oracle.sh up LISTEN_ADDRESS CQL_PORT DIR [options]   start a node in DIR, wait until it answers CQL
#   oracle.sh stop DIR                                   stop it again
#   oracle.sh resolve                                    only fetch the jars
#   oracle.sh nodetool DIR COMMAND ...                   nodetool for that node: flush ks t, import ks t PATH, status
#   oracle.sh sstabledump X-Data.db [-d|-l|-e] [-t]      Cassandra's own reader, as JSON; no node, no schema needed
#   oracle.sh sstablemetadata X-Data.db                  Cassandra's reading of Statistics.db
#   oracle.sh sstableverify DIR KS TABLE [-e] [-v] [-c]  Cassandra's verifier, over the files of a stopped node
#
# DIR gets conf/, data/, commitlog/, hints/, saved_caches/, cdc_raw/, log/ and pid.
# Started again on the same DIR, the node keeps its data; conf/ is written anew.
#
# Options of up:
#   --heap SIZE         -Xms and -Xmx                       (512m)
#   --seeds LIST        addr:storage_port,...               (this node)
#   --storage-port N    internode port                      (7000)
#   --jmx-port N        JMX on loopback; 0 turns it off     (7198 + last octet)
#   --cluster NAME                                          (oracle)
#   --num-tokens N      vnodes                              (16)
#   --token T           one fixed token (sets num_tokens 1)
#   --dc NAME --rack NAME   use GossipingPropertyFileSnitch with these
#   --format bti|big    SSTable format                      (bti)
#   --compat            storage_compatibility_mode CASSANDRA_4 (writes nb-*-big files)
#   --auth              password login and role permissions (cassandra/cassandra)
#   --yaml FILE         extra cassandra.yaml lines (keys not used below)
#   --set KEY=VALUE     same as one simple line of --yaml; may repeat
#   --java-opt OPT      one more JVM option; may repeat
#   --bench             GC and heap flags of the stock server, for measuring
#   --slow-start        keep the stock gossip waits (default: cut them short)
#   --wait SECONDS      how long to wait for CQL            (240)
#   --foreground        do not detach
#
# Settings (environment):
#   CASSANDRA_VERSION   default 5.0.9
#   CASSANDRA_CACHE     default ~/.cache/helenus-oracle (60 MB, filled once)
#   CASSANDRA_JAVA      a Java 17 (or 11) launcher; default: search
#   MVN                 default mvn
#   MAVEN_DEPENDENCY_PLUGIN  default 3.6.1 (needs Maven 3.6.3 or newer)
#
# Several nodes on one machine: one address each (127.0.0.1, 127.0.0.2, ...), same --storage-port,
# --seeds 127.0.0.1:7000, started one after the other.
#
# Traps, each of which fails silently or late:
#   * BTI ("da") files need storage_compatibility_mode NONE *and* selected_format bti; with only one
#     of them the node writes "nb" without a word.
#   * cassandra.yaml with an unknown key stops the start (exit 3).
#   * No Java but 17 or 11.
#   * Maven may print "[ERROR] 'dependencies.dependency.systemPath' ..." while it reads a transitive
#     pom: that does no harm.
#   * sstabledump prints read errors but exits 0: treat any "Exception" on stderr as a failure.
#   * sstableverify without -r: its help says "don't mutate repair status", but 5.0 mutates when -r is given.
set -euo pipefail

CASSANDRA_VERSION=${CASSANDRA_VERSION:-5.0.9}
CASSANDRA_CACHE=${CASSANDRA_CACHE:-$HOME/.cache/helenus-oracle}
CASS_HOME=$CASSANDRA_CACHE/cassandra-$CASSANDRA_VERSION
CASS_LIB=$CASS_HOME/lib
MVN=${MVN:-mvn}
MAVEN_DEPENDENCY_PLUGIN=${MAVEN_DEPENDENCY_PLUGIN:-3.6.1}

cass_die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
cass_note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Major version of a java launcher, or nothing.
cass_java_major() {
    "$1" -XshowSettings:properties -version 2>&1 |
        sed -n 's/^ *java\.specification\.version = //p' | head -n 1
}

# Cassandra 5.0 runs on 11 and 17 only: it installs a SecurityManager at start,
# which 18+ refuses by default and 24+ refuses altogether.
cass_find_java() {
    local c major
    for c in "${CASSANDRA_JAVA:-}" "${JAVA_HOME:+$JAVA_HOME/bin/java}" \
             "$(command -v java 2>/dev/null || true)" \
             /usr/lib/jvm/java-17-openjdk*/bin/java /usr/lib/jvm/*17*/bin/java; do
        [ -n "$c" ] && [ -x "$c" ] || continue
        major=$(cass_java_major "$c")
        case $major in
            17|11) JAVA_BIN=$c; JAVA_MAJOR=$major; return 0 ;;
        esac
    done
    cass_die "no Java 17 found (Debian: apt-get install openjdk-17-jre-headless; or set CASSANDRA_JAVA)"
}

cass_write_pom() {
    cat > "$1" <<POM
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">
  <modelVersion>4.0.0</modelVersion>
  <groupId>helenus.oracle</groupId>
  <artifactId>cassandra-libs</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId>
      <artifactId>cassandra-all</artifactId>
      <version>$CASSANDRA_VERSION</version>
    </dependency>
  </dependencies>
</project>
POM
}

# Fills $CASS_LIB once; later calls only look at the marker file.
cass_resolve() {
    [ -f "$CASS_LIB/.complete" ] && return 0
    mkdir -p "$CASS_HOME"
    exec 9> "$CASS_HOME/.lock"
    flock 9
    if [ ! -f "$CASS_LIB/.complete" ]; then
        command -v "$MVN" >/dev/null 2>&1 || cass_die "no '$MVN' (Debian: apt-get install maven)"
        cass_note "resolving cassandra-all $CASSANDRA_VERSION into $CASS_LIB"
        rm -rf "$CASS_LIB.part"
        mkdir -p "$CASS_LIB.part"
        cass_write_pom "$CASS_HOME/pom.xml"
        JAVA_HOME=${JAVA_BIN%/bin/java} "$MVN" -B -f "$CASS_HOME/pom.xml" \
            "org.apache.maven.plugins:maven-dependency-plugin:$MAVEN_DEPENDENCY_PLUGIN:copy-dependencies" \
            -DincludeScope=runtime -DoutputDirectory="$CASS_LIB.part" \
            > "$CASS_HOME/mvn.log" 2>&1 ||
            { tail -n 40 "$CASS_HOME/mvn.log" >&2; cass_die "Maven failed; whole log: $CASS_HOME/mvn.log"; }
        local need
        for need in "cassandra-all-$CASSANDRA_VERSION.jar" 'jamm-*.jar' 'jna-[0-9]*.jar' \
                    'snakeyaml-*.jar' 'logback-classic-*.jar' 'lz4-java-*.jar' 'ecj-*.jar'; do
            compgen -G "$CASS_LIB.part/$need" >/dev/null ||
                cass_die "Maven ended well but left no $need in $CASS_LIB.part"
        done
        ls "$CASS_LIB.part" > "$CASS_LIB.part/.complete"
        rm -rf "$CASS_LIB"
        mv "$CASS_LIB.part" "$CASS_LIB"
    fi
    flock -u 9
    exec 9>&-
}

# Sets CASS_CP: conf folder first, then every jar in a fixed order.
cass_classpath() {
    local jar
    CASS_CP=$1
    for jar in "$CASS_LIB"/*.jar; do CASS_CP=$CASS_CP:$jar; done
    CASS_AGENT=$(compgen -G "$CASS_LIB/jamm-*.jar" | head -n 1)
}

# Sets JPMS: what conf/jvm17-server.options and jvm17-clients.options of the 5.0
# branch open up, plus the pair used only where a full JDK is present.
cass_jpms() {
    local p
    JPMS=(-Djdk.attach.allowAttachSelf=true -Dio.netty.tryReflectionSetAccessible=true)
    for p in java.base/jdk.internal.misc java.base/java.lang.ref \
             java.management.rmi/com.sun.jmx.remote.internal.rmi \
             java.management/com.sun.jmx.remote.security \
             java.rmi/sun.rmi.registry java.rmi/sun.rmi.server \
             java.sql/java.sql jdk.unsupported/sun.misc; do
        JPMS+=(--add-exports "$p=ALL-UNNAMED")
    done
    [ "$JAVA_MAJOR" = 11 ] && JPMS+=(--add-exports java.base/jdk.internal.ref=ALL-UNNAMED
                                     --add-exports java.base/sun.nio.ch=ALL-UNNAMED)
    for p in java.base/java.lang java.base/java.lang.reflect java.base/java.lang.module \
             java.base/java.io java.base/java.nio java.base/java.util java.base/sun.nio.ch \
             java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect \
             java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar \
             jdk.management/com.sun.management.internal; do
        JPMS+=(--add-opens "$p=ALL-UNNAMED")
    done
    if "$JAVA_BIN" --list-modules 2>/dev/null | grep -q '^jdk\.compiler@'; then
        JPMS+=(--add-exports jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED
               --add-opens jdk.compiler/com.sun.tools.javac=ALL-UNNAMED)
        "$JAVA_BIN" --list-modules 2>/dev/null | grep -q '^jdk\.attach@' &&
            JPMS+=(--add-exports jdk.attach/sun.tools.attach=ALL-UNNAMED)
    fi
    return 0
}

cass_write_logback() { # FILE LEVEL TARGET(System.out|System.err)
    cat > "$1" <<XML
<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <target>$3</target>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{20} - %msg%n</pattern></encoder>
  </appender>
  <root level="$2"><appender-ref ref="CONSOLE"/></root>
</configuration>
XML
}

# Runs an offline tool or nodetool: cass_tool CONF_DIR MAIN_CLASS [ARGS...]
# CONF_DIR must hold cassandra.yaml and logback-tools.xml.
cass_tool() {
    local conf=$1 main=$2
    shift 2
    cass_classpath "$conf"
    cass_jpms
    exec "$JAVA_BIN" "-javaagent:$CASS_AGENT" -ea "${JPMS[@]}" \
        "-Xmx${CASSANDRA_TOOL_HEAP:-512m}" -XX:ParallelGCThreads=1 \
        "-Dcassandra.config=file://$conf/cassandra.yaml" \
        "-Dcassandra.storagedir=${conf%/conf}" "-Dcassandra.logdir=${conf%/conf}/log" \
        "-Dlogback.configurationFile=$conf/logback-tools.xml" \
        -cp "$CASS_CP" "$main" "$@"
}

# A conf folder for tools that need some cassandra.yaml but no node: prints it.
cass_tools_conf() {
    local d=$CASS_HOME/tools/conf
    if [ ! -f "$d/cassandra.yaml" ]; then
        mkdir -p "$d" "$CASS_HOME/tools/log"
        cass_write_logback "$d/logback-tools.xml" WARN System.err
        cat > "$d/cassandra.yaml.$$" <<YAML
cluster_name: tools
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:7000"
listen_address: 127.0.0.1
commitlog_sync: periodic
commitlog_sync_period: 10000ms
data_file_directories: ["$CASS_HOME/tools/data"]
commitlog_directory: $CASS_HOME/tools/commitlog
hints_directory: $CASS_HOME/tools/hints
saved_caches_directory: $CASS_HOME/tools/saved_caches
cdc_raw_directory: $CASS_HOME/tools/cdc_raw
storage_compatibility_mode: NONE
sstable:
  selected_format: bti
YAML
        mv "$d/cassandra.yaml.$$" "$d/cassandra.yaml"
    fi
    printf '%s\n' "$d"
}

usage() { sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit "${1:-0}"; }

# True if PID is a JVM that was started on this DIR.
is_ours() { # PID DIR
    [ -r "/proc/$1/cmdline" ] &&
        grep -zqxF -- "-Dcassandra.config=file://$2/conf/cassandra.yaml" "/proc/$1/cmdline"
}

stop_node() {
    local dir pid i
    dir=$(cd "$1" 2>/dev/null && pwd) || cass_die "no folder $1"
    [ -f "$dir/pid" ] || { cass_note "nothing to stop in $dir"; return 0; }
    pid=$(cat "$dir/pid")
    if is_ours "$pid" "$dir"; then
        kill -TERM "$pid"
        for ((i = 0; i < 600; i++)); do is_ours "$pid" "$dir" || break; sleep 0.1; done
        if is_ours "$pid" "$dir"; then cass_note "pid $pid did not stop in 60 s; killing it"; kill -KILL "$pid"; fi
    fi
    rm -f "$dir/pid"
}

# Asks for protocol v4 OPTIONS and wants SUPPORTED back.
cql_ready() { # ADDRESS PORT
    timeout 3 bash -c '
        exec 3<>"/dev/tcp/$0/$1" || exit 1
        printf "\x04\x00\x00\x00\x05\x00\x00\x00\x00" >&3
        [ "$(head -c 5 <&3 | od -An -tx1 | tr -d " \n")" = 8400000006 ]
    ' "$1" "$2" 2>/dev/null
}

start_node() { # ADDRESS PORT DIR [options]
    [ $# -ge 3 ] || usage 2
    address=$1 cql_port=$2 dir=$3
    shift 3

    heap=512m seeds='' storage_port=7000 jmx_port='' cluster=oracle num_tokens=16 token=''
    dc='' rack='' format=bti compat=NONE auth=0 bench=0 fast=1 wait_s=240 foreground=0
    extra_yaml='' settings=() java_opts=()
    while [ $# -gt 0 ]; do
        case $1 in
            --heap) heap=$2; shift 2 ;;
            --seeds) seeds=$2; shift 2 ;;
            --storage-port) storage_port=$2; shift 2 ;;
            --jmx-port) jmx_port=$2; shift 2 ;;
            --cluster) cluster=$2; shift 2 ;;
            --num-tokens) num_tokens=$2; shift 2 ;;
            --token) token=$2; num_tokens=1; shift 2 ;;
            --dc) dc=$2; shift 2 ;;
            --rack) rack=$2; shift 2 ;;
            --format) format=$2; shift 2 ;;
            --compat) compat=CASSANDRA_4; shift ;;
            --auth) auth=1; shift ;;
            --yaml) extra_yaml=$2; shift 2 ;;
            --set) settings+=("${2%%=*}: ${2#*=}"); shift 2 ;;
            --java-opt) java_opts+=("$2"); shift 2 ;;
            --bench) bench=1; shift ;;
            --slow-start) fast=0; shift ;;
            --wait) wait_s=$2; shift 2 ;;
            --foreground) foreground=1; shift ;;
            *) cass_die "unknown option $1 (see --help)" ;;
        esac
    done
    case $format in bti|big) ;; *) cass_die "--format is bti or big" ;; esac
    [ "$compat" = NONE ] || format=big
    if [ -z "$jmx_port" ]; then
        octet=${address##*.}
        case $octet in ''|*[!0-9]*) octet=1 ;; esac
        jmx_port=$((7198 + octet))
    fi
    [ -n "$seeds" ] || seeds=$address:$storage_port

    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    if [ -f "$dir/pid" ] && is_ours "$(cat "$dir/pid")" "$dir"; then
        cass_die "a node already runs on $dir (pid $(cat "$dir/pid"))"
    fi
    if timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$cql_port" 2>/dev/null; then
        cass_die "something already listens on $address:$cql_port"
    fi
    conf=$dir/conf
    mkdir -p "$conf/triggers" "$dir/log" "$dir/data" "$dir/commitlog" "$dir/hints" \
             "$dir/saved_caches" "$dir/cdc_raw"

    snitch=SimpleSnitch
    if [ -n "$dc$rack" ]; then
        snitch=GossipingPropertyFileSnitch
        printf 'dc=%s\nrack=%s\n' "${dc:-datacenter1}" "${rack:-rack1}" > "$conf/cassandra-rackdc.properties"
    fi

    {
        cat <<YAML
cluster_name: '$cluster'
num_tokens: $num_tokens
YAML
        [ -z "$token" ] || printf "initial_token: '%s'\n" "$token"
        cat <<YAML
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "$seeds"
listen_address: $address
storage_port: $storage_port
rpc_address: $address
start_native_transport: true
native_transport_port: $cql_port
endpoint_snitch: $snitch
data_file_directories: ["$dir/data"]
commitlog_directory: $dir/commitlog
hints_directory: $dir/hints
saved_caches_directory: $dir/saved_caches
cdc_raw_directory: $dir/cdc_raw
heap_dump_path: $dir/log
commitlog_sync: periodic
commitlog_sync_period: 10000ms
storage_compatibility_mode: $compat
sstable:
  selected_format: $format
uuid_sstable_identifiers_enabled: false
auto_snapshot: false
user_defined_functions_enabled: true
materialized_views_enabled: true
sasi_indexes_enabled: true
drop_compact_storage_enabled: true
dynamic_data_masking_enabled: true
YAML
        if [ "$auth" = 1 ]; then
            printf '%s\n' 'authenticator: PasswordAuthenticator' 'authorizer: CassandraAuthorizer' \
                          'role_manager: CassandraRoleManager'
        fi
        for line in "${settings[@]+"${settings[@]}"}"; do printf '%s\n' "$line"; done
        [ -z "$extra_yaml" ] || cat "$extra_yaml"
    } > "$conf/cassandra.yaml"
    cass_write_logback "$conf/logback.xml" INFO System.out
    cass_write_logback "$conf/logback-tools.xml" WARN System.err

    cass_classpath "$conf"
    cass_jpms
    jvm=("-javaagent:$CASS_AGENT" -ea -da:net.openhft... "-Xms$heap" "-Xmx$heap"
         -XX:+UseG1GC -XX:MaxGCPauseMillis=300 -XX:+ExitOnOutOfMemoryError
         -Djava.net.preferIPv4Stack=true
         -Dio.netty.allocator.useCacheForAllThreads=true -Dio.netty.allocator.maxOrder=11
         "${JPMS[@]}"
         "-Dcassandra.config=file://$conf/cassandra.yaml"
         "-Dcassandra.storagedir=$dir" "-Dcassandra.logdir=$dir/log"
         "-Dcassandra.triggers_dir=$conf/triggers"
         "-Dlogback.configurationFile=$conf/logback.xml"
         -Dcassandra-foreground=yes)   # keeps stdout open: it is our log file
    if [ "$jmx_port" != 0 ]; then
        jvm+=("-Dcassandra.jmx.local.port=$jmx_port" -Dcom.sun.management.jmxremote.authenticate=false)
    fi
    if [ "$fast" = 1 ]; then
        jvm+=(-Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=2000
              -Dcassandra.superuser_setup_delay_ms=0)
    fi
    if [ "$bench" = 1 ]; then
        jvm+=(-XX:+ParallelRefProcEnabled -XX:MaxTenuringThreshold=1 -XX:G1HeapRegionSize=16m
              -XX:G1RSetUpdatingPauseTimePercent=5 -XX:InitiatingHeapOccupancyPercent=70
              -XX:+AlwaysPreTouch -XX:+UseNUMA -XX:+PerfDisableSharedMem -Xss256k)
    fi
    jvm+=("${java_opts[@]+"${java_opts[@]}"}")
    export MALLOC_ARENA_MAX=4
    printf '%s\n' "$jmx_port" > "$dir/jmx_port"

    cd "$dir"
    if [ "$foreground" = 1 ]; then
        printf '%s\n' $$ > "$dir/pid"
        exec "$JAVA_BIN" "${jvm[@]}" -cp "$CASS_CP" org.apache.cassandra.service.CassandraDaemon
    fi
    printf -- '--- start %s\n' "$(date -u +%FT%TZ)" >> "$dir/log/system.log"
    setsid "$JAVA_BIN" "${jvm[@]}" -cp "$CASS_CP" org.apache.cassandra.service.CassandraDaemon \
        >> "$dir/log/system.log" 2>&1 < /dev/null &
    pid=$!
    printf '%s\n' "$pid" > "$dir/pid"
    # setsid execs java in place when it is not a group leader; if it forked, the
    # pid above is gone at once: find the JVM by its own config path.
    sleep 0.3
    if ! is_ours "$pid" "$dir"; then
        for p in /proc/[0-9]*; do
            if is_ours "${p#/proc/}" "$dir" 2>/dev/null; then pid=${p#/proc/}; printf '%s\n' "$pid" > "$dir/pid"; break; fi
        done
    fi

    deadline=$((SECONDS + wait_s))
    until cql_ready "$address" "$cql_port"; do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$dir/pid"
            tail -n 60 "$dir/log/system.log" >&2
            cass_die "the node died at start; log: $dir/log/system.log"
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 60 "$dir/log/system.log" >&2
            stop_node "$dir"
            cass_die "no CQL on $address:$cql_port after $wait_s s; log: $dir/log/system.log"
        fi
        sleep 0.5
    done
    cass_note "Cassandra $CASSANDRA_VERSION: CQL $address:$cql_port, JMX 127.0.0.1:$jmx_port, pid $pid, log $dir/log/system.log"
}

tool_nodetool() { # DIR COMMAND ...
    [ $# -ge 2 ] || usage 2
    local dir
    dir=$(cd "$1" && pwd)
    shift
    cass_tool "$dir/conf" org.apache.cassandra.tools.NodeTool -h 127.0.0.1 -p "$(cat "$dir/jmx_port")" "$@"
}

# The tool reads the schema from DIR/data/system_schema, so: start the node, create the table, flush,
# stop it, put the SSTables to check into DIR/data/KEYSPACE/TABLE-<id>/, then run this. -f is always
# given (the tool refuses to run without it). Exit 0 good, 1 bad.
tool_sstableverify() { # DIR KEYSPACE TABLE [options]
    [ $# -ge 3 ] || usage 2
    local dir keyspace=$2 table=$3
    dir=$(cd "$1" && pwd)
    shift 3
    [ -f "$dir/conf/cassandra.yaml" ] || cass_die "$dir has no conf/cassandra.yaml"
    if [ -f "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; then cass_die "stop the node on $dir first"; fi
    cass_tool "$dir/conf" org.apache.cassandra.tools.StandaloneVerifier -f "$@" "$keyspace" "$table"
}

[ $# -ge 1 ] || usage 2
command=$1
shift
case $command in
    -h|--help|help) usage 0 ;;
    stop) [ $# -eq 1 ] || usage 2; stop_node "$1"; exit 0 ;;
    up|resolve|nodetool|sstabledump|sstablemetadata|sstableverify) ;;
    *) usage 2 ;;
esac
cass_find_java
cass_resolve
case $command in
    up) start_node "$@" ;;
    resolve) printf '%s\n' "$CASS_LIB" ;;
    nodetool) tool_nodetool "$@" ;;
    sstabledump) cass_tool "$(cass_tools_conf)" org.apache.cassandra.tools.SSTableExport "$@" ;;
    sstablemetadata) cass_tool "$(cass_tools_conf)" org.apache.cassandra.tools.SSTableMetadataViewer "$@" ;;
    sstableverify) tool_sstableverify "$@" ;;
esac
