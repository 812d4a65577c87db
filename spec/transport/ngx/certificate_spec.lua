-- That it tells right from wrong is shown inside nginx, by the transport contract over TLS.

local certificate = require "pusher.transport.ngx.certificate"

describe("pusher.transport.ngx.certificate", function()
  it("says no where there is nothing to look at", function()
    assert.is_false(certificate.is_for(nil, "127.0.0.1"))
    assert.is_false(certificate.is_for(true, "127.0.0.1"))
    assert.is_false(certificate.is_for("session", "127.0.0.1"))
  end)

  it("says no where OpenSSL cannot be asked", function()
    local has_ffi, ffi = pcall(require, "ffi")
    -- LuaJIT outside nginx: a session, and no OpenSSL that is visible to ffi.C.
    local session = has_ffi and ffi.new("void *") or false
    assert.is_false(certificate.is_for(session, "127.0.0.1"))
  end)
end)
