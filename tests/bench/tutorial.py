"""The tutorial's way, in a few lines of our own: once a week look whether a coin is off its target; if so sell everything, and
buy everything back by percent. One request for each coin's price, market orders, floats, no check of what an order became.

    tutorial.py BASE_URL PERCENT COIN...      key and secret are those of the loopback exchange
"""
import hashlib
import hmac
import math
import sys
import time

import requests
import schedule

BASE, PERCENT, COINS = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
KEY, SECRET = "test-key", "test-secret"


def price(coin):
    ticker = requests.get(f"{BASE}/public/get-tickers", params={"instrument_name": f"{coin}_USDT"}).json()
    return float(ticker["result"]["data"][0]["b"])


def signed(method, params):
    nonce = int(time.time() * 1000)
    text = method + str(nonce) + KEY + "".join(key + params[key] for key in sorted(params)) + str(nonce)
    sig = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    body = {"id": nonce, "method": method, "api_key": KEY, "params": params, "nonce": nonce, "sig": sig}
    return requests.post(f"{BASE}/{method}", json=body).json().get("result")


def balances():
    account = signed("private/user-balance", {})["data"][0]["position_balances"]
    return {row["instrument_name"]: float(row["quantity"]) for row in account}


def order(coin, side, **size):
    params = {"instrument_name": f"{coin}_USDT", "side": side, "type": "MARKET", "spot_margin": "SPOT", **size}
    params["client_oid"] = f"{side}-{coin}-{int(time.time() * 1000)}"
    signed("private/create-order", params)


def rebalance():
    held = balances()
    worth = {coin: held.get(coin, 0) * price(coin) for coin in COINS}
    target = (sum(worth.values()) + held.get("USDT", 0)) * PERCENT / 100
    if any(abs(value - target) > 0.2 * target for value in worth.values()):
        for coin in COINS:
            order(coin, "SELL", quantity=f"{math.floor(held[coin] * 10000) / 10000:.4f}")
        cash = balances()["USDT"]
        for coin in COINS:
            order(coin, "BUY", notional=f"{math.floor(cash * PERCENT) / 100:.2f}")
    print("done", flush=True)


schedule.every().sunday.at("00:00").do(rebalance)
rebalance()
while True:
    schedule.run_pending()
    time.sleep(1)
