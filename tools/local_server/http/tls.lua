--- A throw-away certificate authority and server contexts signed by it.
-- Everything is made in memory at start; only the CA's certificate is written to a file, for clients that trust it.

local altname = require "openssl.x509.altname"
local bignum = require "openssl.bignum"
local ffi = require "ffi"
local http_tls = require "http.tls"
local name = require "openssl.x509.name"
local openssl_context = require "openssl.ssl.context"
local pkey = require "openssl.pkey"
local rand = require "openssl.rand"
local x509 = require "openssl.x509"

local tls = {}

local DAY = 86400

local function new_certificate(common_name, key)
  local certificate = x509.new()
  certificate:setVersion(3)
  certificate:setSerial(bignum.fromBinary(rand.bytes(15)))
  local subject = name.new()
  subject:add("CN", common_name)
  certificate:setSubject(subject)
  certificate:setIssuer(subject)
  certificate:setPublicKey(key)
  return certificate
end

--- Makes a certificate authority.
-- @treturn table `{ pem = its certificate, key =, certificate = }`
function tls.new_authority(common_name)
  local key = pkey.new { type = "EC", curve = "prime256v1" }
  local certificate = new_certificate(common_name, key)
  certificate:setLifetime(os.time() - DAY, os.time() + DAY)
  certificate:setBasicConstraints { CA = true }
  certificate:setBasicConstraintsCritical(true)
  certificate:sign(key)
  return { key = key, certificate = certificate, pem = tostring(certificate) }
end

local function alpn_selector(versions)
  return function(_, offered)
    for _, wanted in ipairs(versions) do
      for _, protocol in ipairs(offered) do
        if protocol == wanted then
          return protocol
        end
      end
    end
  end
end

--- Makes a server's certificate.
-- @tparam table|nil authority from `new_authority`; without one the certificate is signed by its own key
-- @tparam table options `names` (DNS names), `addresses` (IP), `expired`, `common_name` (default: the first of these)
-- @return its private key, the certificate
function tls.new_certificate(authority, options)
  local key = pkey.new { type = "EC", curve = "prime256v1" }
  local common_name = options.common_name or (options.names or options.addresses)[1]
  local certificate = new_certificate(common_name, key)
  if authority then
    certificate:setIssuer(authority.certificate:getSubject())
  end
  certificate:setLifetime(os.time() - 2 * DAY, os.time() + (options.expired and -DAY or DAY))
  certificate:setBasicConstraints { CA = false }
  local alternatives = altname.new()
  for _, dns in ipairs(options.names or {}) do
    alternatives:add("DNS", dns)
  end
  for _, address in ipairs(options.addresses or {}) do
    alternatives:add("IP", address)
  end
  if options.names or options.addresses then
    certificate:setSubjectAlt(alternatives)
  end
  certificate:sign(authority and authority.key or key)
  return key, certificate
end

-- The OpenSSL that cqueues uses: a symbol is looked for in a library's own dependencies, too (dlsym(3)).
local openssl
ffi.cdef [[
  int SSL_shutdown(void *ssl);
  long SSL_CTX_ctrl(void *context, int command, long value, void *pointer);
]]

-- The pointer in a userdata of cqueues or luaossl, and the library.
local function unwrap(userdata)
  openssl = openssl or ffi.load(assert(package.searchpath("_cqueues", package.cpath)))
  return ffi.cast("void **", ffi.cast("void *", userdata))[0], openssl
end

local SET_MIN_VERSION, TLS_1_0 = 123, 0x301 -- openssl/ssl.h, openssl/prov_ssl.h

-- A context that speaks TLS 1.0 and 1.1 only, whatever the system's configuration says. Their signatures are SHA-1's,
-- which OpenSSL 3 has at security level 0 only.
local function new_old_context()
  local context = openssl_context.new("TLS", true)
  context:setOptions(openssl_context.OP_NO_TLSv1_2 + openssl_context.OP_NO_TLSv1_3)
  context:setCipherList "ALL:@SECLEVEL=0"
  local pointer, library = unwrap(context)
  assert(library.SSL_CTX_ctrl(pointer, SET_MIN_VERSION, TLS_1_0, nil) == 1)
  return context
end

--- Makes what a server of another kind needs for TLS as "localhost".
-- @treturn table names of files to their texts: "key.pem", "certificate.pem", and "ca.pem" for its clients
function tls.new_files()
  local authority = tls.new_authority("Local authority")
  local key, certificate = tls.new_certificate(authority, { names = { "localhost" } })
  return { ["key.pem"] = key:toPEM("private"), ["certificate.pem"] = tostring(certificate), ["ca.pem"] = authority.pem }
end

--- Makes a server context with a certificate of its own.
-- @tparam table|nil authority as for `new_certificate`
-- @tparam table options those of `new_certificate`, `protocols` (ALPN, the preferred one first; default http/1.1), and
--   `old`: TLS 1.0 and 1.1 only
function tls.new_context(authority, options)
  local key, certificate = tls.new_certificate(authority, options)
  local context = options.old and new_old_context() or http_tls.new_server_context()
  context:setPrivateKey(key)
  context:setCertificate(certificate)
  if http_tls.has_alpn then
    context:setAlpnSelect(alpn_selector(options.protocols or { "http/1.1" }))
  end
  return context
end

--- Ends the server's half of a TLS session (close_notify, RFC 8446 6.1), which cqueues never does.
-- @param socket of cqueues, encrypted
function tls.send_close_notify(socket)
  local session, library = unwrap(socket:checktls())
  library.SSL_shutdown(session)
end

return tls
