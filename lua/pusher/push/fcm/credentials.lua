--- A Google service account: read, checked, and then able to sign and nothing else.
--
-- The private key stays inside one function. No message here shows any part of the credentials.

local callback = require "pusher.base.callback"
local core = require "pusher.core"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local credentials = {}

credentials.TOKEN_URI = "https://oauth2.googleapis.com/token"

local BYTE_ORDER_MARK = "\239\187\191" -- some editors begin a file with it
local MAX_FILE_BYTES = 64 * 1024
local MAX_SHOWN_PATH = 200 -- bytes

local function refuse(text, field, hint, code)
  return errors.fail(code or "config", text, { field = field, hint = hint })
end

-- Some sandboxes have no io.open; that of a Luanti mod raises.
local function open(path)
  local ok, file = pcall(io and io.open, path, "rb")
  callback.raise_out_of_memory(file)
  return ok and file
end

local function read_file(path)
  local is_file = core.is_file(path)
  local file = is_file and open(path) -- a pipe may have no writer
  local text = file and file:read(MAX_FILE_BYTES + 1)
  if file then
    file:close()
  end
  -- What is no path may be the key itself.
  local is_path = #path <= MAX_SHOWN_PATH and not path:find("[{%z\1-\31\127-\255]")
  local shown = is_path and ("%q"):format(path) or "whose name is not shown here"
  if is_file == false then
    return refuse(("credentials: %s%s is not a regular file"):format(is_path and "" or "the file ", shown),
      "credentials_file")
  elseif not text then
    return refuse("credentials: cannot read the file " .. shown, "credentials_file")
  elseif #text > MAX_FILE_BYTES then
    return refuse(("credentials: the file %s must have at most %d bytes"):format(shown, MAX_FILE_BYTES),
      "credentials_file")
  end
  return text
end

-- The account is in the configuration, else in a file, else where the environment says.
local function find(config, getenv, json)
  local given, path = config.credentials, config.credentials_file
  if not given and not path then
    local value = getenv("GOOGLE_APPLICATION_CREDENTIALS")
    if type(value) ~= "string" or value == "" then
      return refuse("missing credentials", "credentials")
    elseif value:gsub("^" .. BYTE_ORDER_MARK, ""):find("^[ \t\r\n]*{") then
      given = value
    else
      path = value
    end
  end
  if type(given) == "table" then
    local copy = {}
    for name, value in next, given do
      copy[name] = value
    end
    return copy
  end
  local text, message, details = given, nil, nil
  if not text then
    text, message, details = read_file(path)
  end
  local decoded = text and json.decode((text:gsub("^" .. BYTE_ORDER_MARK, "")))
  if text and type(decoded) ~= "table" then
    return refuse("credentials: must be a JSON object", "credentials")
  end
  return decoded, message, details
end

-- A member that is written into the assertion unchanged: printable ASCII that JSON need not escape.
local function plain(name, default)
  return function(given)
    local value = given[name]
    if default and (value == nil or value == "") then
      return default
    elseif type(value) ~= "string" or not value:find("^[A-Za-z0-9%-_.~:/@+%%]+$") then
      return refuse(("credentials: %s is missing or malformed"):format(name), "credentials." .. name)
    end
    return value
  end
end

local function find_project(given, config, getenv)
  local project = config.project_id or given.project_id
  if type(project) ~= "string" or project == "" then
    project = getenv("GOOGLE_CLOUD_PROJECT") or getenv("GCLOUD_PROJECT")
  end
  if type(project) ~= "string" or project == "" then
    return refuse("project ID is required to access Firebase Cloud Messaging client", "project_id")
  elseif not project:find("^[A-Za-z0-9%-_.:]+$") or url.has_step(project) then
    return refuse("project_id is part of a path and may have only letters, digits and -_.:", "project_id")
  end
  return project
end

local function find_endpoint(_, config, _, account)
  return endpoint.parse(config.token_url or account.token_uri, config.token_url and "token_url" or "token_uri")
end

local function find_signer(given)
  local pem = given.private_key
  if type(pem) ~= "string" or pem == "" then
    return refuse("credentials: private_key is missing", "credentials.private_key")
  end
  -- A trial now, so that a wrong key is reported at the start and not at the first push.
  local signature, message, short_of_memory = core.rs256_sign(pem, "trial")
  if not signature then
    local escaped = pem:find("\\n", 1, true)
    local hint = escaped and 'it has "\\n" where lines should end: the JSON text was escaped twice' or nil
    return refuse("credentials: private_key: " .. message, "credentials.private_key", hint,
      short_of_memory and "network")
  end
  return function(text)
    return core.rs256_sign(pem, text)
  end
end

-- The members of an account, in the order in which a failure is reported.
local READERS = {
  { "project_id", find_project }, { "client_email", plain "client_email" },
  { "private_key_id", plain "private_key_id" }, { "token_uri", plain("token_uri", credentials.TOKEN_URI) },
  { "endpoint", find_endpoint }, { "sign", find_signer },
}

--- Reads a service account.
-- @tparam table config `credentials` (a table or JSON text), `credentials_file` (a path), `project_id`, `token_url`
--   (where tokens are fetched, if not at the account's own token_uri), as config.check returns them
-- @tparam function getenv such as os.getenv; GOOGLE_APPLICATION_CREDENTIALS (a path, or JSON text) counts when the
--   configuration names nothing
-- @tparam table json as json.new returns
-- @treturn table|nil `{ client_email =, private_key_id =, project_id =, token_uri =, endpoint =, sign = function(text)
--   -> signature }`
function credentials.load(config, getenv, json)
  local given, message, details = find(config, getenv, json)
  if not given then
    return nil, message, details
  elseif type(given.type) ~= "string" or given.type == "" then
    return refuse("missing 'type' field in credentials", "credentials.type")
  elseif given.type ~= "service_account" then
    return refuse('credentials: type must be "service_account"', "credentials.type")
  end
  local account = {}
  for _, reader in ipairs(READERS) do
    local name, read = reader[1], reader[2]
    account[name], message, details = read(given, config, getenv, account)
    if not account[name] then
      return nil, message, details
    end
  end
  return account
end

return credentials
