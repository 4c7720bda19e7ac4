"""Every kind of home from every kind of network: the client and a stock ssh both get in, and the client by the best
route that physics allows. SALLYPORT_LAB_TABLE names a file that gets the table of docs/REACH.md."""
import os
import unittest

from lab import net

net.seal()

from lab.plans import LAPTOP_WORDS, LAPTOPS, ROWS
from lab.town import Town
from lib import Case, wait_for

SLICE = os.environ.get("SALLYPORT_LAB_HOMES", "")  # names of homes, by commas; all when empty


def chosen():
    return [row for row in ROWS if not SLICE or row.plan.name in SLICE.split(",")]


def pairs():
    return [(row, laptop) for row in chosen() for laptop in LAPTOPS if row.routes[laptop] != "-"]


class Pairs(Case):
    @classmethod
    def begin(cls):
        cls.town = Town(cls.world, chosen())
        restarted = [(row.plan.name, cls.restart(row.plan)) for row in chosen() if row.plan.reboot]
        for name, since in restarted:
            # The relay's word that the machine is there again, at the address that the router has now.
            wait_for(f"{name} mapped anew", lambda name=name, since=since: any(
                way["address"] == cls.town.homes[name].address and way["checked"] > since
                for way in cls.town.machines[name].verified().values()), 60, 0.3)
        for row in chosen():
            cls.town.settle(row.plan.name, "direct" in row.routes.values())

    @classmethod
    def restart(cls, plan):
        """Off and on with the router; when the way to the machine had been proved last."""
        home = cls.town.homes[plan.name]
        old = cls.town.settle(plan.name, True)["mapped"]
        if plan.reboot == "new":
            home.address = home.address.rsplit(".", 1)[0] + ".9"
        home.router.reboot(home.address)
        return old["checked"]

    def test_everybody_gets_in_by_the_best_route(self):
        table = {}
        for row, laptop in pairs():
            who = self.town.laptop(laptop, row.plan.name)
            first = who.ssh(row.plan.name)
            with self.subTest("the first time", home=row.plan.name, laptop=laptop):
                # Nothing is punched yet.
                wanted = row.routes[laptop].replace("punched", "relayed")
                self.assertIn(first.route(), wanted.split("|"), first.error)
            table[row.plan.name, laptop] = [first]
        for row, laptop in pairs():
            table[row.plan.name, laptop].append(self.town.laptop(laptop, row.plan.name).stock_ssh(row.plan.name))
        for row, laptop in pairs():
            with self.subTest("then", home=row.plan.name, laptop=laptop):
                again = self.again(row, laptop)
                table[row.plan.name, laptop].append(again)
                self.assertIn(again.route(), row.routes[laptop].split("|"), again.error)
        self.show(table)

    def test_people_are_told_why_there_is_no_direct_way(self):
        for row in chosen():
            if row.says:
                with self.subTest(home=row.plan.name):
                    wait_for(f"the words '{row.says}'", lambda name=row.plan.name, says=row.says:
                             says in self.town.relay.ctl("status", name), 30, 0.3)

    def again(self, row, laptop):
        who = self.town.laptop(laptop, row.plan.name)
        visits = [who.ssh(row.plan.name)]
        # A punched connection is ready some moments after the first stream began.
        if row.routes[laptop] == "punched" and visits[-1].route() != "punched":
            wait_for(f"{row.plan.name} punched from {laptop}", lambda: visits.append(who.ssh(row.plan.name)) or
                     visits[-1].route() == "punched", 20, pause=1)
        if not row.plan.wire:
            return visits[-1]
        # Where frames are lost, one login says little.
        visits = visits[-1:] + [who.ssh(row.plan.name) for _ in range(4)]
        return sorted(visits, key=lambda visit: visit.seconds)[2]

    def show(self, table):
        lines = ["| the machine's network | " + " | ".join(LAPTOP_WORDS[laptop] for laptop in LAPTOPS) + " | why |",
                 "|---" * (len(LAPTOPS) + 2) + "|"]
        for row in chosen():
            cells = []
            for laptop in LAPTOPS:
                visits = table.get((row.plan.name, laptop))
                cells.append(f"{visits[-1].route()} {visits[-1].seconds:.2f} s ({visits[0].seconds:.2f}, "
                             f"{visits[1].seconds:.2f})" if visits else "-")
            lines.append(f"| {row.plan.words} | " + " | ".join(cells) + f" | {row.why} |")
        text = "\n".join(lines)
        print("\n" + text)
        if os.environ.get("SALLYPORT_LAB_TABLE"):
            with open(os.environ["SALLYPORT_LAB_TABLE"], "w", encoding="ascii") as file:
                file.write(text + "\n")


if __name__ == "__main__":
    unittest.main()
