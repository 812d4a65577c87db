---@meta pusher

-- Types for editors and checkers that read LuaCATS (lua-language-server, EmmyLua): this folder is a library to them.
-- A file stands for the module of its name and is never run. spec/types_spec.lua compares all of them with the code.

-- A function that fails returns nil, message, details; message and details are nil when it succeeds.

---@alias pusher.ErrorCode
---| "invalid" an argument's value is not acceptable; or status 400, 422
---| "config" an option or credential is missing or wrong
---| "encryption" encryption or decryption failed, or there is no master key
---| "network" no connection, or it broke
---| "timeout" the deadline has passed
---| "tls" the handshake or the verification of the certificate failed
---| "unauthorized" status 401; or a webhook's signature is wrong
---| "clock" status 401 because of the timestamp; skew has the seconds
---| "forbidden" status 403
---| "not_found" status 404
---| "too_large" status 413, or an event or a response is above its limit
---| "rate_limited" status 429; retry_after has the seconds when they are known
---| "server" status 5xx
---| "response" the response could not be understood
---| "full" a queue or pool is full
---| "pending" the call is still in flight; no outcome
---| "closed" the client, transport or queue has been closed

---@class pusher.Details what a failure has besides its message; a fresh table each time
---@field code pusher.ErrorCode
---@field retryable boolean whether the same call may succeed later
---@field status? integer of HTTP
---@field body? string the response's, shortened
---@field hint? string what to check
---@field retry_after? number seconds
---@field skew? integer seconds that this machine is behind
---@field size? integer
---@field limit? integer
---@field field? string name of the option or argument
---@field index? integer in the list that was given
---@field left? integer events that are not settled
---@field attempts? integer how many were made; 0 for an event that a publisher gave up unsent
---@field sent? boolean false when certainly nothing of the request reached the server
---@field cancelled? boolean
---@field handler? string name of the push handler
---@field accepted? integer handlers that accepted the receipt

---@alias pusher.Level "error"|"warn"|"info"|"debug"
---@alias pusher.Log fun(level: pusher.Level, message: string, fields?: table)
---@alias pusher.Clock fun(): number
---@alias pusher.Random fun(count: integer): string

---@class pusher.ObservedCall
---@field method string
---@field path string without the query
---@field endpoint string the same for all calls of one kind
---@field status? integer nil when no response came
---@field code? pusher.ErrorCode of the failure
---@field seconds number
---@field bytes_out integer length of the request's body
---@field bytes_in integer length of the response's body
---@field attempt integer 1 for the first one
---@field reused? boolean whether the connection was a kept one

---@alias pusher.Observe fun(call: pusher.ObservedCall)

---@class pusher.Json a codec
---@field encode fun(value: any): string?, string?
---@field decode fun(text: string): any, string?

---@class pusher.Keepalive
---@field idle? number seconds that an idle connection is kept; default 60
---@field pool_size? integer connections that are kept; default 30

---@class pusher.TransportOptions
---@field timeout? number seconds for each attempt, from name lookup to the last byte; default 5
---@field connect_timeout? number seconds for name lookup, connection and TLS; at most timeout, which is the default
---@field keepalive? pusher.Keepalive
---@field proxy? string http://[user[:password]@]host:port
---@field no_proxy? string hosts reached without the proxy, separated by commas or spaces
---@field ca_file? string PEM file of trusted authorities
---@field tls_verify? boolean whether certificates are verified; default true
---@field max_response_bytes? integer maximum size of a response; default 1048576
---@field max_pending? integer maximum number of calls waiting or in flight over async; default 10000
---@field log? pusher.Log

---@class pusher.ClientOptions : pusher.TransportOptions
---@field app_id? string|integer
---@field key? string
---@field secret? string
---@field cluster? string a cluster of pusher.com, such as eu
---@field host? string host name or host:port; takes precedence over cluster
---@field port? integer 1 to 65535; 443 or 80 without it
---@field path_prefix? string a path before /apps
---@field sign_path_prefix? boolean whether the prefix is signed; default false
---@field secure? boolean HTTPS; default true
---@field encryption_master_key_base64? string 32 bytes as base64
---@field encryption_master_key? string 32 bytes; deprecated
---@field max_payload_kb? number limit of an event's data in KiB, after encryption; default 10
---@field max_batch? integer events in one batch; default 10
---@field retry? pusher.ClientRetry
---@field idempotency? boolean whether each event without an idempotency_key gets one; default false
---@field push_notification_host? string default nativepush-cluster1.pusher.com
---@field json? pusher.Json
---@field observe? pusher.Observe called once for each HTTP call
---@field clock? pusher.Clock Unix seconds
---@field random? pusher.Random for tests

---@class pusher.ClientRetry
---@field attempts? integer maximum number of attempts, including the first one; default 1
---@field base? number minimum seconds before the first retry; default 0.1
---@field max? number maximum seconds between two attempts; default 10

---@class pusher.Options : pusher.ClientOptions
---@field transport? "curl"|"async"|"ngx"|pusher.Transport "ngx" inside nginx, otherwise "curl", loaded by the first call

---@class pusher.AsyncOptions : pusher.ClientOptions
---@field transport "async"|pusher.transport.Async

local pusher = {}

---@type string
pusher._VERSION = nil

---Makes a client. Over the async transport it is a pusher.AsyncClient.
---@overload fun(given: pusher.AsyncOptions): pusher.AsyncClient?, string, pusher.Details
---@param given pusher.Options
---@return pusher.Client? client
---@return string message
---@return pusher.Details details
function pusher.new(given) end

---Makes a client from `http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID`.
---@overload fun(url: string, extra: pusher.AsyncOptions): pusher.AsyncClient?, string, pusher.Details
---@param url string
---@param extra? pusher.Options more options, which take precedence over the URL
---@return pusher.Client? client
---@return string message
---@return pusher.Details details
function pusher.from_url(url, extra) end

---Makes a client from such a URL in an environment variable.
---@overload fun(name: string?, extra: pusher.AsyncOptions): pusher.AsyncClient?, string, pusher.Details
---@param name? string default PUSHER_URL
---@param extra? pusher.Options more options, which take precedence over the URL
---@return pusher.Client? client
---@return string message
---@return pusher.Details details
function pusher.from_env(name, extra) end

return pusher
