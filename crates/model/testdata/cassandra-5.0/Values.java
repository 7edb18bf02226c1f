// Asks the classes of Apache Cassandra 5.0.9 itself: lines of a values*.tsv up to the `=` on standard input, answers on standard output.
// javac -proc:none -cp "LIB/*" Values.java, then java -ea (with the --add-opens of the server) -cp ".:LIB/*" Values;
// LIB holds cassandra-all-5.0.9.jar and what it depends on.
import java.io.*; import java.nio.*; import java.nio.charset.*; import java.util.*;
import org.apache.cassandra.db.marshal.*; import org.apache.cassandra.utils.*; import org.apache.cassandra.utils.bytecomparable.*;
import org.apache.cassandra.db.*; import org.apache.cassandra.cql3.*; import org.apache.cassandra.transport.ProtocolVersion; import org.apache.cassandra.config.DatabaseDescriptor;
public class Values {
  static ByteBuffer h(String s){ return s.equals("null")?null:ByteBufferUtil.hexToBytes(s); }
  static String run(String[] f) {
    try {
      AbstractType<?> t = TypeParser.parse(f[1]);
      switch(f[0]) {
        case "validate": t.validate(h(f[2])); return "ok";
        case "cmp": return ""+Integer.signum(((AbstractType)t).compare(h(f[2]),h(f[3])));
        case "bc": { ByteSource s=t.asComparableBytes(h(f[2]), ByteComparable.Version.OSS50); if(s==null) return "null"; StringBuilder b=new StringBuilder(); int c; while((c=s.next())!=-1) b.append(String.format("%02x",c)); return b.toString(); }
        case "row": { ByteSource s=new ClusteringComparator(t).asByteComparable(Clustering.make(h(f[2]))).asComparableBytes(ByteComparable.Version.OSS50); StringBuilder b=new StringBuilder(); int c; while((c=s.next())!=-1) b.append(String.format("%02x",c)); return b.toString(); }
        case "lit": return t.toCQLString(h(f[2]));
        case "text": return t.getString(h(f[2]));
        case "from": return ByteBufferUtil.bytesToHex(t.fromString(f.length>2?f[2]:""));
        case "json": return t.toJSONString(h(f[2]), ProtocolVersion.V5);
        case "fromjson": { Object o=org.apache.cassandra.utils.JsonUtils.decodeJson(f[2]); if(o==null) return "jsonnull"; Term x=t.fromJSONObject(o); ByteBuffer b=x.bindAndGet(QueryOptions.DEFAULT); return b==null?"null":ByteBufferUtil.bytesToHex(b); }
        case "cql": return t.asCQL3Type().toString();
        case "cls": return t.toString();
        case "empty": return t.allowsEmpty()+" "+t.isEmptyValueMeaningless();
      }
      return "??";
    } catch(Throwable e) { return "! "+e.getClass().getSimpleName()+": "+e.getMessage(); }
  }
  public static void main(String[] a) throws Exception {
    DatabaseDescriptor.clientInitialization();
    BufferedReader r=new BufferedReader(new InputStreamReader(System.in,StandardCharsets.UTF_8)); PrintStream o=new PrintStream(new FileOutputStream(FileDescriptor.out),false,"UTF-8"); String l;
    while((l=r.readLine())!=null){ if(l.isEmpty()) continue; String[] f=l.split("\t",-1); for(int i=0;i<f.length;i++) f[i]=f[i].replace("␤","\n").replace("␉","\t"); o.println(run(f).replace("\n","␤").replace("\t","␉")); }
    o.flush(); System.exit(0);
  }
}
