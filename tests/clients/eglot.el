;;; eglot.el --- Emacs as its user has it: findings of flymake, an edit, a quick fix, the page of a rule  -*- lexical-binding: t -*-

;; For `emacs -Q --batch'; the environment names the server (SERVER, split at newlines) and the file (FILE).

(require 'cl-lib)
(require 'subr-x)
(require 'python)
(require 'eglot)
(require 'flymake)

(defun tell (ok claim text)
  "Print whether a CLAIM holds, and the TEXT that was seen."
  (let ((line (replace-regexp-in-string "[ \t\n]+" " " (or text ""))))
    (princ (format "%s\t%s\t%s\n" (if ok "ok" "not ok") claim (substring line 0 (min 300 (length line)))))))

(defun wait (wanted)
  "Let Emacs work until WANTED gives something; nil where that does not come."
  (let ((end (+ (float-time) 30)) came)
    (while (and (not (setq came (funcall wanted))) (< (float-time) end))
      (accept-process-output nil 0.01))
    came))

(defun codes ()
  "The codes of what flymake shows, one after the other."
  ;; Emacs is never idle in batch mode, so what waits for that is begun by hand.
  (eglot--signal-textDocument/didChange)
  (flymake-start)
  (string-join
   (sort (delq nil (mapcar (lambda (one)
                             (let ((text (flymake-diagnostic-text one)))
                               (and (string-match "TL[0-9]+" text) (match-string 0 text))))
                           (flymake-diagnostics)))
         #'string<)
   " "))

(defun codes-are (wanted)
  "Wait until the codes are WANTED; gives the milliseconds that it took."
  (let ((begun (float-time)))
    (and (wait (lambda () (equal (codes) wanted)))
         (round (* 1000 (- (float-time) begun))))))

(defun line-of (text)
  "Go to TEXT and give its line."
  (goto-char (point-min))
  (search-forward text)
  (goto-char (match-beginning 0))
  (string-trim (thing-at-point 'line t)))

(defun listing ()
  "What the window of flymake's diagnostics shows."
  (flymake-show-buffer-diagnostics)
  (with-current-buffer (flymake--diagnostics-buffer-name)
    (revert-buffer)
    (buffer-substring-no-properties (point-min) (point-max))))

(defun choose (wanted act)
  "Answer what ACT asks by the candidate that holds WANTED; gives all candidates."
  (let ((last-nonmenu-event ?\r) ; a key: after a click it would open a menu of the window system
        titles)
    (cl-letf (((symbol-function 'completing-read)
               (lambda (_prompt candidates &rest _)
                 (setq titles (all-completions "" candidates))
                 (cl-find-if (lambda (title) (string-search wanted title)) titles))))
      (funcall act))
    titles))

(defun run ()
  "All that is to be seen."
  (find-file (getenv "FILE"))
  (python-mode)
  (setq-local eglot-server-programs `((python-mode . ,(split-string (getenv "SERVER") "\n"))))
  (let* ((begun (float-time))
         (eglot-sync-connect 30))
    (apply #'eglot (eglot--guess-contact))
    (let ((came (codes-are "TL101 TL201 TL401")))
      (tell came (format "opened: findings after %d ms" (* 1000 (- (float-time) begun))) (codes))))
  (let ((shown (listing)))
    (tell (string-search "reads a tensor that still requires grad" shown) "in flymake's window" shown))

  (line-of "loss.item()")
  (search-forward "loss")
  (insert ".detach()")
  (let ((spent (codes-are "TL101 TL401")))
    (tell spent (format "edited: the finding is gone after %s ms" spent) (codes)))
  (delete-region (- (point) (length ".detach()")) (point))
  (let ((spent (codes-are "TL101 TL201 TL401")))
    (tell spent (format "edited back: it is there again after %s ms" spent) (codes)))

  (line-of "loss.item()")
  (let (page)
    (eglot-hover-eldoc-function (lambda (text &rest _) (setq page text)))
    (wait (lambda () page))
    (tell (and page (string-search "item-without-detach" page)) "hover: the page of the rule" page))

  (let ((titles (choose "Put .detach() before .item()"
                        (lambda () (eglot-code-actions (point) (point) nil t)))))
    (tell titles "quick fix: the menu" (string-join titles " | ")))
  (let ((after (line-of ".item()")))
    (tell (and (string-search "loss.detach().item()" after) (codes-are "TL101 TL401"))
          "quick fix: the line after it" after))

  (choose "Make all safe fixes" (lambda () (eglot-code-actions (point-min) (point-max) "source.fixAll.torchlint" t)))
  (let ((after (line-of "with torch.")))
    (tell (string-search "inference_mode" after) "fix all: the line after it" after))

  (let ((server (eglot-current-server)))
    (eglot-shutdown server)
    (tell (not (jsonrpc-running-p server)) "the server ends when it is asked to" "")))

(condition-case why
    (let ((inhibit-message t))
      (run))
  (error (tell nil "the script came to its end" (error-message-string why))))

;;; eglot.el ends here
