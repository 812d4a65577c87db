--- A Google service account: read, checked, and then able to sign and nothing else.
--
-- The private key stays inside one function. No message here shows any part of the credentials.

local core = require "pusher.core"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"

local credentials = {}

credentials.TOKEN_URI = "https://oauth2.googleapis.com/token"

local MAX_FILE_BYTES = 64 * 1024

local fail = errors.fail

local function bad(text, field)
  return fail("config", text, { field = field })
end

local function read_file(path)
  local file = io.open(path, "rb")
  -- Opening a directory succeeds on Linux; reading it does not.
  local text = file and file:read(MAX_FILE_BYTES + 1)
  if file then
    file:close()
  end
  if not text then
    return bad(("credentials: cannot read the file %q"):format(path), "credentials_file")
  elseif #text > MAX_FILE_BYTES then
    return bad(("credentials: the file %q is too large"):format(path), "credentials_file")
  end
  return text
end

local function decode(text, json)
  local decoded = json.decode(text)
  if type(decoded) ~= "table" then
    return bad("credentials: not a JSON object", "credentials")
  end
  return decoded
end

-- A member that may be JSON's null.
local function member(config, name)
  local value = config[name]
  return type(value) ~= "userdata" and value or nil
end

-- Where the account comes from: given in the configuration, else a file, else the environment.
local function find(config, getenv, json)
  -- As upstream: null for `credentials` is an account that lacks everything.
  local given, path = config.credentials, member(config, "credentials_file")
  if given == nil and path == nil then
    local value = getenv("GOOGLE_APPLICATION_CREDENTIALS")
    if not value or value == "" then
      return bad("missing credentials", "credentials")
    elseif value:find("^%s*{") then
      given = value
    else
      path = value
    end
  end
  if type(given) == "string" then
    return decode(given, json)
  elseif given ~= nil then
    return type(given) == "table" and given or {}
  elseif type(path) ~= "string" then
    return bad("credentials_file must be a path", "credentials_file")
  end
  local text, message, details = read_file(path)
  if not text then
    return nil, message, details
  end
  return decode(text, json)
end

-- Members that are written into the assertion as they are: printable ASCII that JSON need not escape.
local function plain(given, name)
  local value = given[name]
  if type(value) ~= "string" or not value:find("^[%w%-_.~:/@+%%]+$") then
    return bad(("credentials: %s is missing or malformed"):format(name), "credentials." .. name)
  end
  return value
end

local function find_project(config, given, getenv)
  local project = member(config, "project_id") or given.project_id
  if type(project) ~= "string" or project == "" then
    project = getenv("GOOGLE_CLOUD_PROJECT") or getenv("GCLOUD_PROJECT")
  end
  if not project or project == "" then
    return bad("project ID is required to access Firebase Cloud Messaging client", "project_id")
  elseif not project:find("^[%w%-_.:]+$") then
    return bad("project_id has a character that cannot stand in a path", "project_id")
  end
  return project
end

local function find_signer(given)
  local pem = given.private_key
  if type(pem) ~= "string" or pem == "" then
    return bad("credentials: private_key is missing", "credentials.private_key")
  end
  -- A trial now, so that a wrong key is told at the start and not at the first push.
  local signature, reason = core.rs256_sign(pem, "trial")
  if not signature then
    return bad("credentials: private_key: " .. reason, "credentials.private_key")
  end
  return function(text)
    return core.rs256_sign(pem, text)
  end
end

local function check_type(given)
  if type(given.type) ~= "string" or given.type == "" then
    return bad("missing 'type' field in credentials", "credentials.type")
  elseif given.type ~= "service_account" then
    return bad("credentials: type must be service_account", "credentials.type")
  end
  return true
end

-- The members of an account in the order in which they are asked for.
local READERS = {
  { "project_id", find_project },
  { "client_email", function(_, given)
    return plain(given, "client_email")
  end },
  { "private_key_id", function(_, given)
    return plain(given, "private_key_id")
  end },
  { "token_uri", function(_, given)
    if given.token_uri == nil or given.token_uri == "" then
      return credentials.TOKEN_URI
    end
    return plain(given, "token_uri")
  end },
  { "endpoint", function(config, _, _, account)
    local elsewhere = member(config, "token_url")
    return endpoint.parse(elsewhere or account.token_uri, elsewhere and "token_url" or "token_uri")
  end },
  { "sign", function(_, given)
    return find_signer(given)
  end },
}

local function check(given, config, getenv)
  local ok, message, details = check_type(given)
  if not ok then
    return nil, message, details
  end
  local account = {}
  for _, reader in ipairs(READERS) do
    local value, problem, more = reader[2](config, given, getenv, account)
    if not value then
      return nil, problem, more
    end
    account[reader[1]] = value
  end
  return account
end

--- Reads a service account.
-- @tparam table config `credentials` (a table or JSON text), `credentials_file` (a path), `project_id`,
--   `token_url` (where tokens are fetched, if not at the account's own token_uri)
-- @tparam function getenv e.g. os.getenv; GOOGLE_APPLICATION_CREDENTIALS (a path, or JSON text) counts when
--   the configuration names nothing
-- @tparam table json as json.new returns
-- @treturn table|nil `{ client_email =, private_key_id =, project_id =, token_uri =, endpoint =,
--   sign = function(text) -> signature }`; nil, message, details (code `config`) otherwise
function credentials.load(config, getenv, json)
  local given, message, details = find(config, getenv, json)
  if not given then
    return nil, message, details
  end
  return check(given, config, getenv)
end

return credentials
