// Filled in below: proof of work before a sign-up is sent. Without a challenge in the form there is nothing to do.
