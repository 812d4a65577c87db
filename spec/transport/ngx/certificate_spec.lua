-- Good and bad certificates are in the transport contract over TLS, inside nginx.

local certificate = require "pusher.transport.ngx.certificate"

describe("pusher.transport.ngx.certificate", function()
  it("rejects what is not a TLS session", function()
    assert.is_false(certificate.is_for(nil, "127.0.0.1"))
    assert.is_false(certificate.is_for(true, "127.0.0.1"))
    assert.is_false(certificate.is_for("session", "127.0.0.1"))
  end)

  it("rejects every certificate where OpenSSL is not visible", function()
    local has_ffi, ffi = pcall(require, "ffi")
    -- LuaJIT outside nginx: a session, and no OpenSSL that is visible to ffi.C.
    local session = has_ffi and ffi.new("void *") or false
    assert.is_false(certificate.is_for(session, "127.0.0.1"))
  end)
end)
