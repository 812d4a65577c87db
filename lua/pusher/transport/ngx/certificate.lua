--- Whether a server's certificate was issued for an IP address.
--
-- nginx compares names only (X509_check_host), so a server that is addressed by
-- its number would never be accepted. OpenSSL, which nginx has loaded, can do it.
-- Rule: RFC 2818 section 3.1: an address must be among the certificate's addresses.

local certificate = {}

local has_ffi, ffi = pcall(require, "ffi") -- LuaJIT, as in nginx

if has_ffi then
  ffi.cdef [[
    void *SSL_SESSION_get0_peer(void *session);
    int X509_check_ip_asc(void *certificate, const char *address, unsigned int flags);
  ]]
end

local function check(session, address)
  local peer = ffi.C.SSL_SESSION_get0_peer(session)
  return peer ~= nil and ffi.C.X509_check_ip_asc(peer, address, 0) == 1
end

--- Looks at the certificate that came with a TLS session.
-- @tparam cdata|nil session as socket:sslhandshake returns
-- @tparam string address without brackets
-- @treturn boolean false also when it cannot be told
function certificate.is_for(session, address)
  if not has_ffi or type(session) ~= "cdata" or session == nil then
    return false
  end
  -- A build of nginx may hide OpenSSL's functions; looking one up raises then.
  local ok, matches = pcall(check, session, address)
  return ok and matches
end

return certificate
