import sys,time,pathlib
sys.path.insert(0,'.')
from nodes import *; from tables import *; from questions import questions
import tables
errc={}
now=int(time.time())-1000
port=int(sys.argv[1]); only=sys.argv[2:]
s=Session(port)
try: s.run("DROP KEYSPACE IF EXISTS judge")
except Exception as e: print(e)
s.run(CREATE_KEYSPACE)
for t in CREATE_TYPES: s.run(t)
for t in all_tables(1,now):
    if only and t.name not in only: continue
    t0=time.time()
    s.run(t.create())
    n=0
    for r in t.rounds:
        batch=[]
        for step in r+[None]:
            if isinstance(step,Request): batch.append(step); n+=1
            else:
                for req,a in zip(batch,s.ask(batch,1 if t.is_in_order else 48)):
                    if a.error: print("ERR",t.name,a.error[:100],a.error[-150:]) if len(errc)<5 and not errc.update({len(errc):1}) else 0
                batch=[]
                if step: s.run(step)
    t1=time.time()
    scan=s.ask([Request(f"SELECT * FROM {t.full_name}",now_s=now+200)])[0]
    if scan.error: print("SCAN",scan.error); continue
    qs=list(questions(t,scan,1,now+200,now+6000))
    errs=0
    an=s.ask(qs)
    for q,a in zip(qs,an):
        if a.error:
            errs+=1
            if errs<4: print("QERR",t.name,a.error[:200],str(q)[:300])
    print(t.name,"writes",n,f"{t1-t0:.1f}s","rows",len(scan.rows),"questions",len(qs),f"{time.time()-t1:.1f}s","errors",errs,"bytes",sum(len(v or b"") for a in an for r in a.rows for v in r), flush=True)
