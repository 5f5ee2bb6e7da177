"""The expand, migrate, contract model: values and generators that touch nothing.

Operations (`phases.operations`) return steps (`phases.model`); steps that take
more than one round trip are generators that yield what they need
(`phases.effects`); what a database makes of it is a dialect (`phases.dialects`).
"""
