" Vim as its user has it: the quickfix list after :make, and what ALE shows.
" For `vim -es -u NONE`; the environment names the file (FILE), and torchlint is on the PATH.

set nocompatible noswapfile hidden
let s:lines = []

function! s:Tell(ok, claim, text) abort
  let l:text = substitute(a:text, '\_s\+', ' ', 'g')
  call add(s:lines, join([a:ok ? 'ok' : 'not ok', a:claim, strpart(l:text, 0, 300)], "\t"))
endfunction

try
  execute 'edit' fnameescape($FILE)
  setfiletype python
  set makeprg=torchlint\ check\ --output-format\ concise\ %
  set errorformat=%f:%l:%c:\ %m
  silent make!
  let s:found = filter(getqflist(), 'v:val.valid')
  let s:shown = map(copy(s:found), 'v:val.lnum . ":" . v:val.col . " " . v:val.text')
  call s:Tell(len(s:found) == 3, 'the quickfix list after :make', join(s:shown, ' | '))

  let g:ale_linters = {'python': ['torchlint']}
  let g:ale_use_neovim_diagnostics_api = 0
  packadd! ale
  runtime plugin/ale.vim
  call ale#linter#Define('python', {
  \   'name': 'torchlint',
  \   'executable': 'torchlint',
  \   'command': '%e check --output-format concise --stdin-filename %s -',
  \   'callback': 'ale#handlers#unix#HandleAsWarning',
  \})
  call ale#Queue(0)
  let s:waited = 0
  while s:waited < 200 && empty(getloclist(0))
    sleep 100m
    let s:waited += 1
  endwhile
  let s:shown = map(getloclist(0), 'v:val.lnum . ":" . v:val.col . " " . v:val.text')
  call s:Tell(len(s:shown) == 3, 'the list of ALE', join(s:shown, ' | '))
catch
  call s:Tell(0, 'the script came to its end', v:exception . ' ' . v:throwpoint)
endtry
call writefile(s:lines, '/dev/stdout')
qall!
