"""Orchestration: gods, who propose plans, and the person whose yes lets them go out."""
