"""Pages. Views stay thin: reach the object through `access_*`, call a service, render."""
