"""Alert receiver and incident manager: takes alerts by webhook, keeps every one, and makes incidents of them."""

__version__ = "0.1.0"
