-- Neovim as its user has it: what stands on the screen, an edit, a quick fix, the page of a rule.
-- For `nvim --headless -u NONE`; the environment names the server (SERVER, split at newlines) and the file (FILE).
-- With LINTER the server is one that shows what a command prints: its findings are looked at, and no more.

local function tell(ok, claim, text)
  text = (text or ""):gsub("%s+", " "):sub(1, 300)
  io.stdout:write(("%s\t%s\t%s\n"):format(ok and "ok" or "not ok", claim, text))
end

local function wait(wanted)
  local begun = vim.loop.hrtime()
  local came = vim.wait(30000, wanted, 5)
  return came, math.floor((vim.loop.hrtime() - begun) / 1e6)
end

local function on_screen(line)
  vim.cmd("redraw!")
  local cells = {}
  local row = vim.fn.screenpos(0, line, 1).row
  for column = 1, vim.o.columns do
    cells[#cells + 1] = vim.fn.screenstring(row, column)
  end
  return table.concat(cells)
end

local function line_with(text)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    if line:find(text, 1, true) then
      return number, line
    end
  end
end

local function put_cursor(text)
  local number, line = line_with(text)
  vim.api.nvim_win_set_cursor(0, { number, (line:find(text, 1, true)) })
  return number
end

local function codes()
  local found = {}
  for _, one in ipairs(vim.diagnostic.get(0)) do
    found[#found + 1] = one.code or (one.user_data and one.user_data.lsp and one.user_data.lsp.code)
  end
  table.sort(found)
  return table.concat(found, " ")
end

-- The person who chooses from the menu.
local menu, choice = {}, ""
vim.ui.select = function(items, options, chosen)
  menu = {}
  for number, item in ipairs(items) do
    menu[number] = options.format_item(item)
  end
  for number, title in ipairs(menu) do
    if title:find(choice, 1, true) then
      return chosen(items[number], number)
    end
  end
  chosen(nil)
end

local function run()
  vim.o.columns, vim.o.lines, vim.o.swapfile = 180, 40, false
  vim.cmd("edit " .. vim.fn.fnameescape(vim.env.FILE))
  vim.bo.filetype = "python"
  local config = { name = "torchlint", cmd = vim.split(vim.env.SERVER, "\n"), root_dir = vim.fn.fnamemodify(vim.env.FILE, ":h") }
  if vim.lsp.start then
    vim.lsp.start(config)
  else -- before 0.8
    vim.lsp.buf_attach_client(0, vim.lsp.start_client(config))
  end
  if vim.fn.has("nvim-0.11") == 1 then
    vim.diagnostic.config({ virtual_text = true })
  end

  local came, spent = wait(function() return #vim.diagnostic.get(0) > 0 end)
  if vim.env.LINTER then
    local line = on_screen(line_with("loss.item()"))
    tell(came and #vim.diagnostic.get(0) == 3, "opened: three findings after " .. spent .. " ms", line)
    tell(line:find("reads a tensor that still requires grad", 1, true) ~= nil, "on the screen beside the line", line)
    return
  end
  tell(came and codes() == "TL101 TL201 TL401", "opened: findings after " .. spent .. " ms", codes())
  local shown = on_screen(line_with("loss.item()"))
  tell(shown:find("reads a tensor that still requires grad", 1, true) ~= nil, "on the screen beside the line", shown)

  local number, before = line_with("loss.item()")
  vim.api.nvim_buf_set_lines(0, number - 1, number, false, { (before:gsub("loss%.item", "loss.detach().item")) })
  came, spent = wait(function() return codes() == "TL101 TL401" end)
  tell(came, "edited: the finding is gone after " .. spent .. " ms", codes())
  vim.api.nvim_buf_set_lines(0, number - 1, number, false, { before })
  came, spent = wait(function() return codes() == "TL101 TL201 TL401" end)
  tell(came, "edited back: it is there again after " .. spent .. " ms", codes())

  put_cursor("loss.item()")
  vim.lsp.buf.hover()
  local function floating()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= "" then
        local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
        return window, table.concat(lines, " ")
      end
    end
  end
  came = wait(function() return floating() ~= nil end)
  local window, page = floating()
  tell(came and page:find("item-without-detach", 1, true) ~= nil, "hover: the page of the rule", page)
  if window then
    vim.api.nvim_win_close(window, true)
  end

  choice = "Put .detach() before .item()"
  vim.lsp.buf.code_action()
  came = wait(function() return line_with("loss.detach().item()") ~= nil end)
  tell(came, "quick fix: the menu", table.concat(menu, " | "))
  came = wait(function() return codes() == "TL101 TL401" end)
  local _, after = line_with(".item()")
  tell(came, "quick fix: the line after it", after)

  choice = "Make all safe fixes"
  vim.lsp.buf.code_action({ context = { only = { "source.fixAll" }, diagnostics = {} }, only = { "source.fixAll" } })
  came = wait(function() return line_with("inference_mode") ~= nil end)
  _, after = line_with("inference_mode")
  tell(came, "fix all: the line after it", after)

  local client = vim.lsp.get_active_clients()[1]
  client.stop()
  came = wait(function() return client.is_stopped() end)
  tell(came, "the server ends when it is asked to")
end

local went, why = pcall(run)
if not went then
  tell(false, "the script came to its end", why)
end
vim.cmd("qall!")
