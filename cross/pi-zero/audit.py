"""Compares the exchange's books with the program's journal: audit.py CONSOLE_OF_BOOT_1 CONSOLE_OF_BOOT_2

Fails with a sentence, or prints what it compared. All arithmetic is exact: a result that had to be rounded is an error.
"""

import decimal
import hashlib
import json
import sys
from decimal import Decimal

decimal.setcontext(decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation]))
# As in the config that cross/pi-zero/init writes.
TARGETS = {"BTC": 40, "ETH": 30, "SOL": 20, "USDT": 10}
TOLERANCE = 2


def passed(what, sentence):
    print(f"    {what:12} {sentence}")


def check(good, sentence):
    if not good:
        sys.exit(f"cross/pi-zero.sh: FAILED: audit: {sentence}")


def lines(path, start):
    with open(path, encoding="utf-8", errors="replace") as console:
        return [line.rstrip("\n").removeprefix(start) for line in console if line.startswith(start)]


def journal(path, start):
    """Its records, without the seals around them."""
    records = []
    for line in lines(path, start):
        length, seal, text = line.split(" ", 2)
        whole = len(text) == int(length) and hashlib.sha256(text.encode()).hexdigest().startswith(seal)
        check(whole, f"a line of the journal is damaged: {line}")
        records.append(json.loads(text))
    check(records, "there is no journal")
    return records


def orders_of(records):
    return [record["order"] for record in records if "order" in record]


def ids_of(books):
    return [order["client_oid"] for order in books["orders"]]


def recount(start, orders):
    """Balances after these orders, counted without the exchange."""
    sums = {coin: Decimal(amount) for coin, amount in start.items()}
    for order in orders:
        base, quote = order["symbol"].split("_")
        sign = 1 if order["side"] == "BUY" else -1
        sums[base] += sign * Decimal(order["quantity"])
        sums[quote] -= sign * Decimal(order["value"])
        sums[order["fee_coin"]] -= Decimal(order["fee"])
    return sums


def worth(books):
    """Of each coin, at the middle of bid and ask."""
    worth = {}
    for coin, amount in books["balances"].items():
        bid, ask = map(Decimal, books["prices"].get(f"{coin}_USDT", (1, 1)))
        worth[coin] = Decimal(amount) * (bid + ask) / 2
    return worth


def costs(books):
    return Decimal(books["fees"]) + Decimal(books["spread"])


one, two = sys.argv[1:3]
before, after = ([json.loads(line) for line in lines(path, "books ")] for path in (one, two))
check(len(before) > 2 and len(after) == 3, "the exchange did not show its books whenever it was asked")
first, last, cut, final = before[0], before[-1], after[0], after[-1]
at_boot, records = journal(two, "journal at boot: "), journal(two, "journal: ")
ledger = [json.loads(line) for line in lines(two, "ledger: ")]

# The cut was in the middle of a rebalance: otherwise nothing below proves anything.
known = {record["done"] for record in at_boot if "done" in record}
same = orders_of(at_boot) == ids_of(cut)
check(same, f"at the second boot the exchange had {ids_of(cut)} and the journal {orders_of(at_boot)}")
unknown = [order for order in orders_of(at_boot) if order not in known]
check(len(unknown) == 1, f"{len(unknown)} orders had no outcome at the second boot, not 1: no rebalance was cut")
sent = orders_of(at_boot[max(at for at, record in enumerate(at_boot) if "cycle" in record):])
check(len(sent) == 2 and sent[1] == unknown[0], f"the interrupted cycle had sent {sent}, not two orders with the second one open")
check(ids_of(cut) == ids_of(last) + sent, f"before that cycle the exchange had {ids_of(last)}")
rest = ids_of(final)[len(cut["orders"]):]
check(rest, "no order was left to do, so this was not the middle of a rebalance")
passed("the cut", f"was after 2 of {2 + len(rest)} orders of a rebalance; the exchange had both,")
passed("", f"and the journal had {sent[1]} without its outcome")

# What the program did about it.
about = [line for line in ledger if line["method"] in ("create-order", "get-order-detail")]
times = [at for at, line in enumerate(about) if line["params"]["client_oid"] == sent[1]]
asked = [about[at]["method"] for at in times[:2]] == ["create-order", "get-order-detail"] and times[1] == times[0] + 1
check(asked, f"another order came before the question for {sent[1]}")
passed("recovery", f"asked for {sent[1]} before it sent any other order, did not send it again, and sent the rest: {', '.join(rest)}")

# Journal and books have the same orders, each once, with the same fills.
check(records[: len(at_boot)] == at_boot, "the journal's past was changed")
booked = {order["client_oid"]: order for order in final["orders"]}
check(len(booked) == len(final["orders"]), "the exchange has two orders with one id")
arrived = [line["params"]["client_oid"] for line in about if line["method"] == "create-order"]
check(arrived == ids_of(final), f"the exchange took {ids_of(final)} and was sent {arrived}")
check(sorted(orders_of(records)) == sorted(booked), f"the journal has {orders_of(records)}, the exchange {sorted(booked)}")
outcomes = [record for record in records if "done" in record]
check(sorted(record["done"] for record in outcomes) == sorted(booked), "an order has no outcome in the journal, or two")
for record in outcomes:
    order = booked[record["done"]]
    told = [record["order_id"], Decimal(record["filled_quantity"]), Decimal(record["filled_value"])]
    same = told == [order["order_id"], Decimal(order["quantity"]), Decimal(order["value"])]
    check(same, f"journal and exchange differ in {record['done']}")
many = len(booked), len(orders_of(records))
passed("orders", f"{many[0]} at the exchange and {many[1]} in the journal: the same ids, each once,")
passed("", "and each has one outcome, with the fills that the exchange has")

# The money.
same = recount(first["balances"], final["orders"]) == recount(final["balances"], [])
check(same, "the balances are not those at the start and all orders")
compared = 0
for earlier, later in zip(before + after, (before + after)[1:]):
    if earlier["prices"] == later["prices"]:
        lost, cost = sum(worth(earlier).values()) - sum(worth(later).values()), costs(later) - costs(earlier)
        check(lost == cost, f"the account lost {lost} where trading cost {cost}")
        compared += earlier["orders"] != later["orders"]
# Three rebalances, and the two parts of the one that was cut.
check(compared == 5, f"the exchange's books were seen around {compared} stretches of trading, not 5")
values = sum(worth(last).values()), sum(worth(final).values())
passed("value", f"{values[0].normalize()} USDT before that rebalance, {values[1].normalize()} after it")
passed("", f"the difference, {(values[0] - values[1]).normalize()}, is fees and spread to the last digit,")
passed("", f"as it is in all {compared} stretches of trading; balances are those at the start and all fills")
for coin, target in TARGETS.items():
    off = abs(worth(final)[coin] * 100 - target * values[1])
    check(off <= TOLERANCE * values[1], f"{coin} is more than {TOLERANCE} points off its target")
violations = [violation for books in before + after for violation in books["violations"]]
check(not violations, f"the exchange saw what no correct client does: {violations}")
check("cycle" in records[-1], "the last cycle did not end well")
check(after[1] == final, "one more cycle changed the account")
passed("in the end", f"every coin is within {TOLERANCE} points of its target, and one more cycle sent no order")
