"""The machine's own state, from the agent to the relay: samples, GPUs and their users, sleep, waking, wrong clocks."""
import calendar
import os
import socket
import subprocess
import time
import unittest

from lib import ME, SANITIZED, STRETCH, Agent, Case, Person, echo, wait_for
from lib.logind import Logind
from lib.nvml import Gpus

CLOCK = os.environ.get("SALLYPORT_CLOCK_SHIFT", "")

DELAY = "inhibit sleep delay Sallyport: "
BLOCK = "inhibit sleep:idle block Sallyport: "


class Sleep(Case):
    """Sleep is told to the relay before it comes, and prevented as the configuration says."""

    @classmethod
    def begin(cls):
        cls.echo = cls.world.serve(echo)
        cls.logind = Logind(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service echo]\nport = {cls.echo.port}\nkind = tcp\n", env=cls.logind.env,
            more="sample_interval = 1\nkeep_awake = people\n")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def power_state(self):
        return self.relay.machine("box1")["status"]["power_state"]

    def wait_power_state(self, state):
        wait_for(f"the machine to be {state}", lambda: self.power_state() == state)

    def test_going_to_sleep_is_told_first(self):
        self.logind.wait(DELAY)
        delays, releases = self.logind.count(DELAY), self.logind.count("release sleep delay")
        self.wait_power_state("awake")
        self.logind.order("sleep")
        self.logind.wait("release sleep delay", releases + 1)
        self.assertEqual(self.power_state(), "sleeping")  # before the machine was let go
        time.sleep(2)
        self.assertEqual(self.power_state(), "sleeping")  # later samples do not say otherwise
        self.logind.order("wake")
        self.wait_power_state("awake")
        self.logind.wait(DELAY, delays + 1)

    def test_a_relay_that_does_not_answer_delays_it_for_two_seconds(self):
        self.logind.wait(DELAY)
        self.wait_power_state("awake")
        delays, releases = self.logind.count(DELAY), self.logind.count("release sleep delay")
        self.relay.process.pause()
        try:
            began = time.monotonic()
            self.logind.order("sleep")
            self.logind.wait("release sleep delay", releases + 1)
            took = time.monotonic() - began
        finally:
            self.relay.process.resume()
        self.assertGreater(took, 1.9)
        self.assertLess(took, 10 * STRETCH)
        self.logind.order("wake")
        self.logind.wait(DELAY, delays + 1)
        self.wait_power_state("awake")

    def test_people_keep_it_awake(self):
        self.logind.wait(DELAY)
        self.assertEqual(self.logind.count(BLOCK), 0)
        process, [port] = self.alice.forward(f"box1:{self.echo.port}")
        self.addCleanup(process.stop)
        with socket.create_connection(("127.0.0.1", port), timeout=20 * STRETCH) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
            self.logind.wait(BLOCK + "somebody is connected")
            status = self.agent.try_status()
            self.assertIn("kept from sleeping", status.stdout)
        time.sleep(2)
        self.assertEqual(self.logind.count("release sleep:idle block"), 0)  # not for 5 minutes


class Own(Case):
    """What the relay knows of a machine with two GPUs."""

    @classmethod
    def begin(cls):
        cls.gpus = Gpus(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            env=cls.gpus.env, more=f"sample_interval = 1\naccounts = {ME}:alice, nobody:bob\n")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def setUp(self):
        self.gpus.play()

    def status(self, name="box1"):
        return self.relay.status(name)

    def wait_status(self, what, question, name="box1"):
        return wait_for(what, lambda: question(self.status(name)))

    def job(self, *before):
        """A program that works for a while, and has a secret on its command line."""
        argv = [*before, "sh", "-c", "while sleep 1; do :; done", "train",
                "--token=hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345"]
        popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)

        def end():
            popen.kill()
            popen.wait()
        self.addCleanup(end)
        return popen, end

    def sick(self, name):
        """A second machine whose GPUs are to get into trouble."""
        gpus = Gpus(self.world, name)
        agent = Agent(self.world, name, self.relay,
                      f"sample_interval = 1\n[service ssh]\nport = {self.sshd.port}\n", gpus.env)
        agent.join()
        agent.start("ssh")
        self.addCleanup(agent.process.stop)
        before = self.wait_status("two GPUs", lambda status: [gpu["state"] for gpu in status["gpus"]] == ["ok", "ok"]
                                  and status, name)
        return gpus, agent, before

    def test_the_machine_itself(self):
        first = self.wait_status("rates", lambda status: "cpu_used_share" in status and status)
        self.assertGreater(first["memory_total_bytes"], 1 << 20)
        self.assertEqual(first["power_state"], "awake")
        self.assertTrue(all("mount" in filesystem for filesystem in first["filesystems"]))
        self.wait_status("the next sample", lambda status: status["uptime_s"] > first["uptime_s"])

    def test_gpus_and_whose_jobs_are_on_them(self):
        mine, _ = self.job()
        others, _ = self.job("setpriv", "--reuid", "nobody", "--clear-groups") if os.getuid() == 0 else (None, None)
        lines = ["gpu 0 temperature 71", f"process 0 {mine.pid} 1000 50"]
        if others:
            lines.append(f"process 1 {others.pid} 2000 25")
        self.gpus.play(*lines)
        def on_gpus(status):
            return [process for process in status.get("processes", []) if process.get("gpus")]
        status = self.wait_status("the jobs", lambda status: len(on_gpus(status)) == len(lines) - 1 and status)
        self.assertEqual([gpu["index"] for gpu in status["gpus"]], [0, 1])
        self.assertEqual({gpu["state"] for gpu in status["gpus"]}, {"ok"})
        self.assertEqual(status["gpus"][0]["temperature_celsius"], 71)
        by_pid = {process["pid"]: process for process in status["processes"]}
        one = by_pid[mine.pid]
        self.assertEqual((one["gpus"], one["user"], one["person"]), ([0], ME, "alice"))
        self.assertEqual(one["gpu_memory_used_bytes"], 1000 << 20)
        self.assertIn("train", one["command"])
        self.assertNotIn("hf_AbCdEf", str(status))
        if others:
            self.assertEqual((by_pid[others.pid]["gpus"], by_pid[others.pid]["user"], by_pid[others.pid]["person"]),
                             ([1], "nobody", "bob"))
        text = self.agent.try_status().stdout
        self.assertIn("GPU 0: ", text)
        self.assertIn(f"of {ME}", text)
        self.assertEqual(len(self.agent.status()["status"]["gpus"]), 2)

    def test_a_job_that_ends_is_told(self):
        job, end = self.job()
        self.gpus.play(f"process 0 {job.pid} 1000 50")
        self.wait_status("the job", lambda status: any(process["pid"] == job.pid and process.get("gpus") == [0]
                                                       for process in status.get("processes", [])))
        end()
        # It is told in one status only, which the next one takes the place of.
        deadline, found = time.monotonic() + 30 * STRETCH, None
        while not found and time.monotonic() < deadline:
            found = [process for process in self.status().get("processes", [])
                     if process["pid"] == job.pid and process.get("ended")]
        self.assertTrue(found)
        self.gpus.play()
        self.wait_status("it to be forgotten", lambda status: all(process["pid"] != job.pid for process in
                                                                  status.get("processes", [])))

    def test_a_gpu_is_lost_in_mid_run(self):
        gpus, agent, before = self.sick("lost")
        gpus.play("gpu 1 lost")
        status = self.wait_status("the loss", lambda status: [gpu["state"] for gpu in status["gpus"]] == ["ok", "lost"]
                                  and status, "lost")
        self.assertEqual([gpu["id"] for gpu in status["gpus"]], [gpu["id"] for gpu in before["gpus"]])
        self.assertNotIn("temperature_celsius", status["gpus"][1])
        self.assertIn("temperature_celsius", status["gpus"][0])
        self.assertIn(": lost\n", agent.try_status().stdout)

    def test_a_driver_that_hangs_holds_up_nothing_else(self):
        gpus, agent, _ = self.sick("hanging")
        gpus.play("hang nvmlDeviceGetUtilizationRates 30")
        status = self.wait_status("the GPUs to hang", lambda status: [gpu["state"] for gpu in status["gpus"]] ==
                                  ["hanging", "hanging"] and status, "hanging")
        self.assertNotIn("used_share", status["gpus"][0])
        self.wait_status("other figures to go on", lambda later: later["uptime_s"] >= status["uptime_s"] + 2, "hanging")
        done = self.alice.ssh("-J", "relay", "hanging", "echo in")
        self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)
        self.assertEqual(agent.process.stop(), 0)

    def test_clocks_that_differ(self):
        env = {**os.environ, "LD_PRELOAD": CLOCK, "CLOCK_SHIFT_S": "-3600"}
        if SANITIZED:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        late = Agent(self.world, "box3", self.relay,
                     f"sample_interval = 1\n[service ssh]\nport = {self.sshd.port}\n", env)
        late.join()
        late.start("ssh")
        self.addCleanup(late.process.stop)
        first = self.wait_status("a status", lambda status: status, "box3")
        self.wait_status("the next", lambda status: status["uptime_s"] > first["uptime_s"], "box3")
        machine = self.relay.machine("box3")
        self.assertAlmostEqual(machine["clock_offset_s"], -3600, delta=60)
        since = calendar.timegm(time.strptime(machine["since"], "%Y-%m-%dT%H:%M:%SZ"))
        self.assertLess(abs(time.time() - since), 120)


@unittest.skipUnless(os.getuid() == 0, "only root can make a local network")
class Wake(Case):
    """A machine that is away is called awake by its neighbour."""

    @classmethod
    def begin(cls):
        for words in ("link add lan0 address 02:00:00:00:00:01 type veth peer name wire",
                      "addr add 10.55.0.2/24 broadcast + dev lan0", "link set lan0 up", "link set wire up"):
            subprocess.run(["ip", *words.split()], check=True)
        cls.relay, cls.sshd, cls.awake = cls.world.relay_with_agent()
        cls.asleep = Agent(cls.world, "box2", cls.relay, f"[service ssh]\nport = {cls.sshd.port}\n")
        cls.asleep.join()
        cls.asleep.start("ssh")

    def test_wake(self):
        magic = b"\xff" * 6 + bytes.fromhex("020000000001") * 16
        self.assertNotEqual(self.relay.try_ctl("wake", "box2").returncode, 0)  # it is awake
        self.asleep.process.stop()
        self.relay.wait_offline("box2")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
            wire.bind(("wire", 0))
            wire.settimeout(20 * STRETCH)
            done = self.relay.try_ctl("wake", "box2")
            self.assertEqual(done.returncode, 0, done.stderr)
            while magic not in (frame := wire.recv(2048)):
                pass
        self.assertEqual(frame[:6], b"\xff" * 6)
        self.awake.process.wait_line(r"waking [0-9a-f:]{17} in 10\.55\.0\.0/24")


if __name__ == "__main__":
    unittest.main()
