"""What programs with redis-py do every day, against the server on PORT, as USER with the
password PASSWORD: strings, pipelines, transactions, scans, expiry, pools, threads."""
import asyncio
import sys
import threading

import redis
import redis.asyncio

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
login = dict(host="127.0.0.1", port=port, username=user, password=password)
r = redis.Redis(decode_responses=True, **login)


def refused(f, words=""):
    try:
        f()
    except redis.RedisError as e:
        assert words in str(e), e
        return
    raise AssertionError("an error is missing: " + words)


def strings():
    assert r.ping() and r.set("a", "1") and r.get("a") == "1" and r.get("none") is None
    assert r.set("b", "x", ex=100, nx=True) and r.set("b", "y", nx=True) is None
    assert r.set("b", "z", xx=True, get=True) == "x" and r.set("b", "q", keepttl=True)
    assert (r.incr("n"), r.incrby("n", 5), r.decr("n"), r.incrbyfloat("f", 1.5)) == (1, 6, 5, 1.5)
    assert r.mset({"m1": 1, "m2": 2}) and r.mget("m1", "m2", "none") == ["1", "2", None]
    assert r.append("s", "hello") == 5 and r.setrange("s", 1, "E") == 5 and r.getrange("s", 1, 3) == "Ell"
    assert r.getset("a", "2") == "1" and r.getex("a", ex=10) == "2" and r.getdel("a") == "2"
    assert r.exists("a", "b", "n") == 2 and r.delete("n") == 1 and r.type("f") == "string"
    assert r.rename("m1", "m3") and r.copy("m3", "m4") and r.randomkey() is not None
    raw = redis.Redis(**login)
    assert raw.set(b"\x00\xff\r\n", b"\x00\r\n\xfe") and raw.get(b"\x00\xff\r\n") == b"\x00\r\n\xfe"
    assert r.set("big", "x" * 5_000_000) and len(r.get("big")) == 5_000_000
    refused(lambda: r.incr("big"), "not an integer")
    refused(lambda: r.lpush("l", 1), "unknown command")


def expiry():
    r.set("e", 1)
    assert r.ttl("none") == -2 and r.ttl("e") == -1 and r.expire("e", 50) and 0 < r.ttl("e") <= 50
    assert not r.expire("e", 40, gt=True) and r.pexpire("e", 60_000) and r.pttl("e") > 50_000
    assert r.persist("e") and r.ttl("e") == -1 and r.expire("e", -1) and not r.exists("e")


def pipelines():
    p = r.pipeline(transaction=False)
    for i in range(3000):
        p.set("k:%d" % i, i)
    assert p.execute() == [True] * 3000
    assert len(set(r.scan_iter("k:*", count=100))) == 3000 and len(r.keys("k:1*")) == 1111
    with r.pipeline() as p:
        p.set("t", "a").incr("t").get("t")
        out = p.execute(raise_on_error=False)
        assert out[0] is True and isinstance(out[1], redis.ResponseError) and out[2] == "a", out
    with r.pipeline() as p:
        refused(lambda: p.watch("t"), "WATCH")


def connections():
    assert r.client_setname("me") and r.client_getname() == "me" and r.client_id() > 0 and r.client_list()
    assert "redis_version" in r.info() and r.config_get("maxmemory") == {"maxmemory": "0"} and "get" in r.command()
    other = redis.Redis(db=3, **login)
    assert other.set("x", 1) and other.dbsize() == 1 and other.flushdb() and r.acl_whoami() == user
    pool = redis.BlockingConnectionPool(max_connections=4, timeout=10, health_check_interval=1, **login)
    shared, errors = redis.Redis(connection_pool=pool), []

    def work():
        try:
            for _ in range(100):
                shared.incr("count")
        except redis.RedisError as e:
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and r.get("count") == "1000", errors
    assert redis.from_url("redis://%s:%s@127.0.0.1:%d/1" % (user, password, port)).ping()
    refused(redis.Redis(host="127.0.0.1", port=port).ping, "Authentication required")
    refused(redis.Redis(host="127.0.0.1", port=port, username=user, password="wrong").ping, "invalid")


async def coroutines():
    c = redis.asyncio.Redis(decode_responses=True, **login)
    async with c.pipeline(transaction=True) as p:
        assert await p.set("z", 1).incr("z").get("z").execute() == [True, 2, "2"]
    await c.connection_pool.disconnect()


for step in (strings, expiry, pipelines, connections):
    step()
asyncio.run(coroutines())
assert r.flushall() and r.dbsize() == 0
print("redis-py", redis.__version__)
