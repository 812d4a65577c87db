--- The service account that the local push server knows.
-- Its key protects nothing. It is the key of spec/vectors/push.json, so that assertions can be compared with those.

local account = {}

local folder = debug.getinfo(1, "S").source:match("^@(.*)account%.lua$") or "tools/local_server/"

local function read_key(name)
  local file = assert(io.open(folder .. "keys/" .. name .. ".pem", "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

account.public_key = read_key "service_account_public"

local private_key = read_key "service_account"

--- The members of the account's key file, as Google's console hands it out.
-- @tparam[opt] table changes members to replace; false removes one
-- @treturn table a fresh table
function account.new(changes)
  local members = {
    type = "service_account",
    project_id = "proj-1",
    private_key_id = "testkid-0001",
    private_key = private_key,
    client_email = "firebase-adminsdk-test@proj-1.iam.gserviceaccount.com",
    token_uri = "https://oauth2.googleapis.com/token",
  }
  for name, value in pairs(changes or {}) do
    members[name] = value or nil
  end
  return members
end

return account
