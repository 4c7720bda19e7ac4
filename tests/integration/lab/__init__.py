"""The lab: an internet in network namespaces, with homes, routers, laptops and a relay on it."""
