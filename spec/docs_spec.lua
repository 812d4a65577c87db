-- The pages are correct: options, defaults, codes and public names are those of the code, each is documented on the page
-- that holds it, every link leads somewhere, and README.md lists every page.

local links = require("spec.helpers.links")
local lists = require("spec.helpers.lists")
local readme = require("spec.helpers.readme")
local source = require("spec.helpers.source")

local assert_none = lists.assert_none

-- What is documented where: the page, and the section that holds the table.
local REFERENCE = {
  options = { page = "docs/options.md", section = "^Options$" },
  publisher = { page = "docs/publisher.md", section = "^Options$" },
  codes = { page = "docs/errors.md", section = "^Errors$" },
}

local function reference(name)
  local place = REFERENCE[name]
  return assert(readme.section(source.read(place.page), place.section), name)
end

describe("the tables of options", function()
  local SETTINGS = { options = "pusher.channels.settings", publisher = "pusher.publisher.settings" }

  local function has_default(row, field, default)
    local text = type(default) == "number" and ("%.14g"):format(default) or tostring(default)
    text = text:gsub("%p", "%%%0")
    return row:find(field and "%f[%w_]" .. field .. " = " .. text .. "%f[^%w.]" or "| " .. text .. " |")
  end

  it("have the declared defaults, and types that are allowed", function()
    local wrong = {}
    for place, module in pairs(SETTINGS) do
      local section = reference(place)
      for name, rule in pairs(require(module).DECLARED) do
        local row = (section:match("\n|%s*(`" .. name .. "`[^\n]*)") or ""):gsub('[`"]', "")
        for field, declared in pairs(rule.fields or { [false] = rule }) do
          local default = declared.default
          if default ~= nil and type(default) ~= "function" and not has_default(row, field, default) then
            wrong[#wrong + 1] = ("%s: the default is %s, not as in %q"):format(field or name, tostring(default), row)
          end
        end
        for kind in (place == "options" and row:match("|%s*([^|]*)") or ""):gmatch("%a+") do
          if kind ~= "or" and not (" " .. table.concat(rule, " ") .. " "):find(" " .. kind .. " ", 1, true) then
            wrong[#wrong + 1] = name .. " is documented as a " .. kind
          end
        end
      end
    end
    assert_none(wrong)
  end)

  it("have a row for each option, and no other", function()
    for place, module in pairs(SETTINGS) do
      local known, documented, wrong = require(module).DECLARED, {}, {}
      for row in reference(place):gmatch("\n|%s*(`[^|]+)|") do
        for name in row:gmatch("`([%w_]+)`") do
          documented[name] = true
          wrong[#wrong + 1] = not known[name] and place == "options" and name .. " is documented, and unknown" or nil
        end
      end
      for name in pairs(known) do
        wrong[#wrong + 1] = not documented[name] and name .. " is an option, and not documented" or nil
      end
      assert_none(wrong)
    end
  end)
end)

describe("the public names", function()
  -- Pages that only mention names.
  local MENTIONS = { ["README.md"] = true, ["docs/coming-from-go.md"] = true }

  -- Objects of the API, by their name in the pages.
  local function objects()
    local pusher, push = require("pusher"), require("pusher.push")
    local options = { app_id = "1", key = "key", secret = "secret", host = "127.0.0.1", port = 1, transport = "async" }
    local client = assert(pusher.new(options))
    local call = client:trigger("c", "e", "d")
    call:cancel()
    return {
      pusher = pusher,
      client = client,
      publisher = assert(client:publisher {}),
      pending = call,
      transport = client.transport,
      push = push,
      registry = assert(push.new()),
      recorder = require("pusher.transport.recorder").new { pendings = true },
      service = assert(require("pusher.beams").new { instance_id = "1", secret_key = "k" }),
      handlers = require("pusher.openresty"),
    }
  end

  -- What a transport offers to its pendings only.
  local FOR_PENDINGS = { abandon = true, drive = true, fail = true }

  -- Names that the pages give without the object before them.
  local ALONE = { handlers = true }

  local function public_names(object)
    local names = {}
    local metatable = getmetatable(object)
    local members = metatable and type(metatable.__index) == "table" and metatable.__index or object
    for name, value in pairs(members) do
      if type(name) == "string" and type(value) == "function" and not FOR_PENDINGS[name] and not name:find("^_") then
        names[name] = true
      end
    end
    return names
  end

  it("exist, and all are documented", function()
    local all, references, wrong = readme.text(), {}, {}
    for _, page in ipairs(readme.pages()) do
      references[#references + 1] = not MENTIONS[page] and source.read(page) or nil
    end
    references = table.concat(references, "\n")
    for label, object in pairs(objects()) do
      local public = public_names(object)
      for name in all:gmatch('%f[%w_."/]' .. label .. "[:.]([%a_][%w_]*)%s*[({\"]") do
        wrong[#wrong + 1] = not public[name] and object[name] == nil and label .. " has no " .. name or nil
      end
      for name in pairs(public) do
        local before = ALONE[label] and "`" or "%f[%w_.]" .. label .. "[:.]"
        if not references:find(before .. name .. "%f[^%w_]") then
          wrong[#wrong + 1] = label .. " has " .. name .. ", which no page documents"
        end
      end
      if object.close then
        object:close()
      end
    end
    assert_none(wrong)
  end)

  it("list every error code, and whether it is retryable", function()
    local section, wrong = reference("codes"), {}
    for code, retryable in pairs(require("pusher.base.errors").CODES) do
      local cell = section:match("| `" .. code .. "` |[^\n]*|([^|\n]*)|\n")
      if not cell or (cell == " yes ") ~= retryable then
        wrong[#wrong + 1] = code
      end
    end
    assert_none(wrong)
  end)
end)

describe("the pages", function()
  local function pages()
    local paths = source.files("docs examples tools bench", "md")
    for _, name in ipairs { "README", "CHANGELOG", "CONTRIBUTING", "SECURITY" } do
      paths[#paths + 1] = name .. ".md"
    end
    return paths
  end

  local function exists(path)
    local file = io.open(path)
    return file and file:close() or false
  end

  -- "docs/../README.md" -> "README.md"
  local function resolve(page, path)
    if path == "" then
      return page
    end
    local whole = (page:match("^.*/") or "") .. path
    while whole:find("/%.%./") do
      whole = whole:gsub("[^/]+/%.%./", "", 1)
    end
    return whole
  end

  it("have links to files and headings that exist", function()
    local wrong, count = {}, 0
    for _, page in ipairs(pages()) do
      for _, link in ipairs(links.relative(source.read(page))) do
        local path = resolve(page, link.path)
        count = count + 1
        if not exists(path) then
          wrong[#wrong + 1] = ("%s:%d: %s does not exist"):format(page, link.line, path)
        elseif link.anchor and not links.anchors(source.read(path))[link.anchor] then
          wrong[#wrong + 1] = ("%s:%d: %s has no heading #%s"):format(page, link.line, path, link.anchor)
        end
      end
    end
    assert_none(wrong)
    assert.is_true(count > 60)
  end)

  it("name targets of make that exist", function()
    local makefile, count, wrong = source.read("Makefile"), 0, {}
    for _, page in ipairs(pages()) do
      local text = source.read(page)
      for _, before in ipairs { "`", "\n    ", "\n    sudo " } do -- within a sentence, and in an indented block
        for target in text:gmatch(before .. "make ([%l][%l-]*)[^%w_/]") do
          count = count + 1
          local is_target = makefile:find("\n" .. target:gsub("%-", "%%-") .. ":")
          wrong[#wrong + 1] = not is_target and ("%s: make %s does not exist"):format(page, target) or nil
        end
      end
    end
    assert_none(wrong)
    assert.is_true(count > 40)
  end)

  it("have README.md's commands of installing in docs/install.md", function()
    local install, count, wrong = source.read("docs/install.md"), 0, {}
    for line in readme.section(source.read("README.md"), "^Install$"):gmatch("\n(    [^\n]*)") do
      count = count + 1
      wrong[#wrong + 1] = not install:find("\n" .. line .. "\n", 1, true) and line or nil
    end
    assert_none(wrong)
    assert.is_true(count >= 5)
  end)

  it("begin with a short README.md", function()
    assert.is_true(select(2, source.read("README.md"):gsub("\n", "")) <= 250)
  end)

  it("say first for whom they are", function()
    local wrong = {}
    for _, page in ipairs(source.files("docs", "md")) do
      local is_page, first = not page:find("^docs/.*/"), source.read(page):match("^# [^\n]+\n\n([^\n]*)")
      wrong[#wrong + 1] = is_page and not (first and first:find("^For ")) and page or nil
    end
    assert_none(wrong)
  end)

  it("are all reached from README.md", function()
    local linked, wrong = {}, {}
    for _, link in ipairs(links.relative(source.read("README.md"))) do
      linked[link.path] = true
    end
    for _, page in ipairs(source.files("docs", "md")) do
      local is_page = not page:find("^docs/.*/")
      wrong[#wrong + 1] = is_page and not linked[page] and page .. " is not in README.md's list" or nil
    end
    assert_none(wrong)
  end)
end)
