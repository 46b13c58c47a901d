-- Asks Latchkey whether to let a request in, with HAProxy's own HTTP client. Sets
-- txn.latchkey_status (200, 401, 403; anything else means that nobody can be let in),
-- txn.latchkey_way (where to lead a browser), and txn.latchkey_user, _email and _products.

local PASSED_ON = { "cookie", "sec-fetch-mode", "sec-websocket-key" }
local LEARNT = { "user", "email", "products" }

core.register_action("latchkey", { "http-req" }, function(txn, latchkey, host, product, origin)
    txn:set_var("txn.latchkey_status", 503)
    local headers = {
        ["host"] = { host },
        ["x-original-url"] = { origin .. txn.f:pathq() },
        ["x-original-method"] = { txn.f:method() },
        ["x-forwarded-for"] = { txn.f:src() },
    }
    local given = txn.http:req_get_headers()
    for _, name in ipairs(PASSED_ON) do
        if given[name] then
            headers[name] = { given[name][0] }
        end
    end
    local answer = core.httpclient():get({
        url = latchkey .. "/auth/verify?product=" .. product,
        headers = headers,
        timeout = 5000,
    })
    if not answer or not answer.status then
        return
    end
    txn:set_var("txn.latchkey_status", answer.status)
    local found = answer.headers or {}
    if answer.status == 401 and found["location"] then
        txn:set_var("txn.latchkey_way", found["location"][0])
    end
    if answer.status == 200 then
        for _, name in ipairs(LEARNT) do
            local value = found["x-latchkey-" .. name]
            txn:set_var("txn.latchkey_" .. name, value and value[0] or "")
        end
    end
end, 4)
