"""The HTTP interface: routes, one error middleware, the health verdict, the page."""
