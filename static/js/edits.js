/* Shows the email with its new words beside the old one without a press. */
"use strict";

for (const form of document.querySelectorAll("form[data-show]")) {
  form.hidden = true;
  form.submit();
}
