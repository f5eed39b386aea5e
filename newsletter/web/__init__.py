"""What every page needs: security headers and CSRF, limits, problem pages, paging."""
