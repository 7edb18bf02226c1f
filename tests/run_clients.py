#!/usr/bin/env python3
"""Runs every stock client's program against a node that is already up.

    python3 tests/run_clients.py [--host 127.0.0.1] [--port 9042] [--only python,go]

Needs the standard library only. It makes a Python environment in .venv of the checkout, installs
pinned packages, builds the programs below tests/clients, runs them one after the other with
HELENUS_HOST and HELENUS_PORT set, and prints a table. A client whose toolchain is missing is named
as skipped; with --require-all that is a failure too. The last line is "N passed, N failed, N skipped".
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLIENTS = ROOT / "tests" / "clients"
BUILT = ROOT / "target" / "clients"
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts" if os.name == "nt" else "bin") / "python"
SUMMARY = re.compile(r"^(?P<name>[a-z]+): (?P<passed>\d+) passed, (?P<failed>\d+) failed(?:, (?P<skipped>\d+) skipped)?\s*$", re.M)


class Failed(Exception):
    """A step of a client did not work; the text says which."""


def step(arguments, folder=ROOT, timeout_s=1200, **environment):
    """One quiet preparing command; its output is shown only when it fails."""
    done = subprocess.run([str(argument) for argument in arguments], cwd=folder, env=os.environ | environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def prepare_venv():
    requirements = CLIENTS / "python" / "requirements.txt"
    dse = CLIENTS / "python" / "requirements-dse.txt"
    stamp = VENV / ".helenus-requirements"
    wanted = requirements.read_text() + dse.read_text()
    if VENV_PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    if not VENV_PYTHON.exists():
        step([sys.executable, "-m", "venv", VENV])
    step([VENV_PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements])
    step([VENV_PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-build-isolation", "--no-deps", "-r", dse],
         DSE_DRIVER_PERMIT_UNSUPPORTED_CORE="1")
    stamp.write_text(wanted)


def prepare_python():
    prepare_venv()
    return [VENV_PYTHON, "-m", "pytest", "-q", "--tb=short", "--show-capture=no", "-p", "no:cacheprovider", CLIENTS / "python"]


def prepare_cqlsh():
    prepare_venv()
    return [VENV_PYTHON, CLIENTS / "cqlsh" / "run.py"]


def prepare_rust():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "clients" / "rust"
    step(["cargo", "build", "--quiet", "--locked", "--target-dir", target], CLIENTS / "rust")
    return [target / "debug" / "client-rust"]


def prepare_node():
    step(["npm", "ci", "--no-audit", "--no-fund"], CLIENTS / "node")
    return ["node", CLIENTS / "node" / "client.js"]


def prepare_go():
    binary = BUILT / "go" / "client-go"
    step(["go", "build", "-o", binary, "."], CLIENTS / "go")
    return [binary]


def prepare_java():
    folder = BUILT / "java"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    class_path = folder / "class-path"
    step(["mvn", "-B", "-q", "dependency:build-classpath", f"-Dmdep.outputFile={class_path}", "-DincludeScope=runtime"], CLIENTS / "java")
    libraries = class_path.read_text().strip()
    step(["javac", "-d", folder / "classes", "-cp", libraries, *sorted((CLIENTS / "java" / "src/main/java").glob("*.java"))])
    return ["java", "-cp", f"{folder / 'classes'}{os.pathsep}{libraries}", "Client"]


@dataclass
class Client:
    name: str
    tools: list
    prepare: object
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    seconds: float = 0.0

    def missing_tools(self):
        return [tool for tool in self.tools if shutil.which(tool) is None]

    def run(self, environment, timeout_s):
        """Prepares and runs the program; counts what it says it did."""
        started = time.monotonic()
        try:
            print(f"== {self.name}: preparing", flush=True)
            command = self.prepare()
            print(f"== {self.name}: running", flush=True)
            code, output = self.stream([str(part) for part in command], environment, timeout_s)
            self.count(code, output)
        except (Failed, OSError, subprocess.TimeoutExpired) as problem:
            self.failed += 1
            self.note = str(problem).splitlines()[0]
            print(f"{self.name}: {problem}", flush=True)
        self.seconds = time.monotonic() - started

    def stream(self, command, environment, timeout_s):
        """Runs the program, printing its lines as they come; returns its exit code and output."""
        with subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as process:
            timer = ProcessTimer(process, timeout_s)
            lines = []
            for line in process.stdout:
                lines.append(line)
                print(f"   {line}", end="", flush=True)
            code = process.wait()
            if timer.stop():
                raise Failed(f"did not end within {timeout_s} s and was killed")
            return code, "".join(lines)

    def count(self, code, output):
        summaries = [found for found in SUMMARY.finditer(output) if found["name"] == self.name]
        if not summaries:
            raise Failed(f"ended with {code} and without its line '{self.name}: N passed, N failed'")
        last = summaries[-1]
        self.passed, self.failed = int(last["passed"]), int(last["failed"])
        self.skipped = int(last["skipped"] or 0)
        named = re.findall(r"^skipped: (.*)$", output, re.M)
        self.note = "; ".join(f"skipped: {name}" for name in named)
        if code != 0 and self.failed == 0:
            raise Failed(f"says that nothing failed, but ended with {code}")
        if self.passed == 0 and self.failed == 0:
            raise Failed("ran no test at all")


@dataclass
class ProcessTimer:
    """Kills a process that takes too long."""
    process: subprocess.Popen
    timeout_s: float
    fired: bool = False
    timer: object = field(default=None, repr=False)

    def __post_init__(self):
        import threading
        self.timer = threading.Timer(self.timeout_s, self.kill)
        self.timer.daemon = True
        self.timer.start()

    def kill(self):
        self.fired = True
        self.process.kill()

    def stop(self):
        self.timer.cancel()
        return self.fired


def all_clients():
    return [
        Client("python", [], prepare_python),
        Client("cqlsh", [], prepare_cqlsh),
        Client("rust", ["cargo"], prepare_rust),
        Client("node", ["node", "npm"], prepare_node),
        Client("go", ["go"], prepare_go),
        Client("java", ["java", "javac", "mvn"], prepare_java),
    ]


def answers(host, port):
    """Asks for the protocol's OPTIONS and wants SUPPORTED back."""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(bytes.fromhex("040000000500000000"))
            return connection.recv(9)[4:5] == b"\x06"
    except OSError:
        return False


def print_table(clients):
    print("\nclient    passed  failed  skipped  seconds")
    for client in clients:
        print(f"{client.name:<8} {client.passed:>7} {client.failed:>7} {client.skipped:>8} {client.seconds:>8.0f}  {client.note}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9042)
    parser.add_argument("--only", default="", help="names with commas, e.g. python,go")
    parser.add_argument("--require-all", action="store_true", help="a missing toolchain is a failure")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one client's run")
    options = parser.parse_args()
    clients = all_clients()
    wanted = [name for name in options.only.split(",") if name]
    unknown = set(wanted) - {client.name for client in clients}
    if unknown:
        parser.error(f"no client {', '.join(sorted(unknown))}; there are {', '.join(client.name for client in clients)}")
    clients = [client for client in clients if not wanted or client.name in wanted]
    if not answers(options.host, options.port):
        sys.exit(f"nothing speaks the native protocol on {options.host}:{options.port}: start the node first")
    environment = {"HELENUS_HOST": options.host, "HELENUS_PORT": str(options.port), "PYTHONUNBUFFERED": "1"}
    for client in clients:
        missing = client.missing_tools()
        if missing:
            client.skipped = 1
            client.note = f"skipped: {client.name} (no {', '.join(missing)} found)"
            client.failed = int(options.require_all)
        else:
            client.run(environment, options.timeout)
    print_table(clients)
    for client in clients:
        if client.skipped:
            print(client.note)
    passed, failed, skipped = (sum(getattr(client, what) for client in clients) for what in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
