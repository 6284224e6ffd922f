"""Hosts that are network namespaces, joined by a switch with links of a limited rate. Linux, root, iproute2."""
import os
import shutil
import signal
import subprocess
import sys
import time

RECEIVE = """
import socket, sys, time
s = socket.create_server((sys.argv[1], int(sys.argv[2]))); c, _ = s.accept(); b = bytearray(1 << 20); n = 0; t = None
end = None
while True:
    k = c.recv_into(b)
    now = time.monotonic()
    if k == 0: break
    if t is None:
        t = now + 0.5  # past the start
    elif now > t:
        n += k; end = now
print(n / (end - t))
"""
SEND = """
import socket, sys, time
c = socket.create_connection((sys.argv[1], int(sys.argv[2]))); b = bytearray(1 << 20); end = time.monotonic() + 3
while time.monotonic() < end: c.sendall(b)
"""

# One host of several that send to others at once: its address, the other end of each connection it makes, how many it accepts.
HOST = """
import os, socket, sys, threading, time
me, port, to, accepts = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(","), int(sys.argv[4])
listener = socket.create_server((me, port))
print("listening", flush=True)
sys.stdin.readline()
came, start = [0] * accepts, time.monotonic()
begin, end = start + 1, start + 4  # past the start
def send(c):
    b = bytearray(1 << 18)
    try:
        while time.monotonic() < end + 0.5: c.sendall(b)
    except OSError: pass
    c.close()
def receive(c, i):
    b = bytearray(1 << 18)
    while k := c.recv_into(b):
        came[i] += k if begin < time.monotonic() < end else 0
out = [threading.Thread(target=send, args=(socket.create_connection((host, port)),)) for host in to]
into = [threading.Thread(target=receive, args=(listener.accept()[0], i)) for i in range(accepts)]
for t in out + into: t.start()
for t in into + out: t.join()
times = os.times()
print(sum(came) / (end - begin), times.user + times.system)
"""


def require():
    """Ends the program where namespaces cannot be made."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        sys.exit("links with a limited rate need root, and ip and tc of iproute2")


def run(*command):
    subprocess.run(command, check=True)


class Network:
    """Hosts on a switch, all of them namespaces; nothing outside of them is touched."""

    def __init__(self, hosts, rate, congestion_control=None):
        self.wanted_congestion_control = congestion_control  # None: the system's
        self.congestion_control = None  # what it is
        self.rate, self.prefix = rate, f"ds{os.getpid()}"
        self.switch = self.prefix + "sw"
        self.names = [f"{self.prefix}h{h}" for h in range(hosts)]

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that __exit__ removes the namespaces
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")
        for h, name in enumerate(self.names):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{h}", "netns", self.switch)
            run("ip", "-n", self.switch, "link", "set", f"p{h}", "master", "br0", "up")
            run("ip", "-n", name, "addr", "add", self.address(h) + "/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            self.control_congestion(name)
            self.limit(name, "eth0")
            self.limit(self.switch, f"p{h}")

    def control_congestion(self, name):
        key = "net.ipv4.tcp_congestion_control"
        wanted = self.wanted_congestion_control
        if wanted and subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", f"{key}={wanted}"], check=False).returncode:
            sys.exit(f"{key} = {wanted}: not allowed in a namespace; `sysctl net.ipv4.tcp_allowed_congestion_control` of the host says "
                     "what is, and sets it")
        self.congestion_control = subprocess.run(["ip", "netns", "exec", name, "sysctl", "-n", key], check=True, stdout=subprocess.PIPE,
                                                 text=True).stdout.strip()

    def limit(self, namespace, device):
        burst = "64kb" if self.rate == "100mbit" else "256kb" if self.rate == "1gbit" else "2mb"
        run("ip", "netns", "exec", namespace, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", self.rate,
            "burst", burst, "latency", "20ms")

    def address(self, host):
        return f"10.213.0.{host + 1}"

    def payload_rate(self):
        """Bytes per second of one connection."""
        receiver = subprocess.Popen(["ip", "netns", "exec", self.names[0], sys.executable, "-c", RECEIVE, self.address(0),
                                     "5001"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        run("ip", "netns", "exec", self.names[1], sys.executable, "-c", SEND, self.address(0), "5001")
        return float(receiver.communicate()[0])

    def exchange_rate(self, ring):
        """Bytes per second into a host, the slowest one, while all send with plain sockets: to the next one (ring), or to all others."""
        hosts = []
        for h, name in enumerate(self.names):
            others = [self.address((h + k) % len(self.names)) for k in range(1, 2 if ring else len(self.names))]
            hosts.append(subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", HOST, self.address(h), "5002",
                                           ",".join(others), str(len(others))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for host in hosts:
            host.stdout.readline()
        for host in hosts:
            host.stdin.write("\n")
            host.stdin.flush()
        return min(float(host.communicate()[0].split()[0]) for host in hosts)

    def __exit__(self, *_):
        for name in self.names + [self.switch]:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
